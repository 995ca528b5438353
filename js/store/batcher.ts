/** What one store is asked within a turn: collected, and handed to the core in one call at its end. */
import native from '#native';
import { BatchEncoder } from './batch-encoder.js';
import { type Corrupt, PendingBatch, type ReplyType } from './pending-batch.js';
import { MAX_OPERATIONS, type Receiver } from './receiver.js';

/** As it was at first: a test's fake timers may replace it, and nothing would ever be sent. */
const { nextTick } = process;

/** Units of text and values after which a turn's operations go at once: the first are then on their way while the rest is collected. */
const FLUSH_AT = 64 * 1024;

export class Batcher {
  readonly batch = new BatchEncoder();
  private readonly handle: number;
  private readonly receiver: Receiver;
  private readonly corrupt: Corrupt;
  private pending: PendingBatch;
  private scheduled = false;

  constructor(handle: number, receiver: Receiver, corrupt: Corrupt) {
    this.handle = handle;
    this.receiver = receiver;
    this.corrupt = corrupt;
    this.pending = new PendingBatch(corrupt);
  }

  /** The operation that was just put into the batch. */
  add(kind: ReplyType): Promise<unknown> {
    const promise = this.pending.add(kind);
    if (this.batch.weight >= FLUSH_AT || this.pending.size === MAX_OPERATIONS) {
      this.flush();
    } else if (!this.scheduled) {
      this.scheduled = true;
      nextTick(ended, this);
    }
    return promise;
  }

  flush(): void {
    const { batch, pending } = this;
    if (pending.size === 0) {
      return;
    }
    this.pending = new PendingBatch(this.corrupt);
    const firstId = this.receiver.register(pending);
    let answers: unknown[] | null;
    try {
      answers = native.submit(
        this.handle,
        firstId,
        Date.now(),
        batch.text,
        batch.words,
        batch.length,
        batch.values,
      );
    } catch (error) {
      this.receiver.leave(firstId);
      pending.fail(error);
      return;
    } finally {
      batch.reset();
    }
    if (answers !== null) {
      this.receiver.leave(firstId);
      for (let index = 0; index < answers.length; index++) {
        pending.settle(index, answers[index]);
      }
    }
  }

  end(): void {
    this.scheduled = false;
    this.flush();
  }
}

/** One function for all turns: no closure a turn. */
function ended(batcher: Batcher): void {
  batcher.end();
}
