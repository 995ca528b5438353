// A TCP proxy between a client under test and a real server that can be told to misbehave. A mode holds for the
// connections that are open and for new ones, until the next mode is chosen. Bytes are never reordered.

import { createServer, connect as dial, type Server, type Socket } from 'node:net';

export interface Proxy {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** Connections open now. */
  readonly connections: number;
  /** Connections accepted since the start. */
  readonly accepted: number;
  /** Bytes passed on, by direction. */
  readonly bytes: { toServer: number; toClient: number };
  /** Passes everything on at once; what a black hole, a delay or a drip still held goes out first, late. */
  pass(): void;
  /** Every chunk arrives this many milliseconds later, in both directions. */
  delay(ms: number): void;
  /** Connections are accepted and nothing travels. What was sent meanwhile is kept, as by a network that comes back. */
  blackHole(): void;
  /** Passes that many further bytes of replies (all connections together), then cuts every connection, once. */
  cutAfter(bytes: number): void;
  /** Replies trickle at that many bytes a second. */
  drip(bytesPerSecond: number): void;
  /** Replies keep their length, but every byte is inverted. */
  garble(): void;
  /** Cuts the open connections (RST). New ones are served in the mode that holds. */
  cut(): void;
  /** Leads new connections to that port; the open ones stay where they are. */
  retarget(port: number): void;
  /** Refuses new connections and cuts the open ones, until `accept`. */
  refuse(): Promise<void>;
  accept(): Promise<void>;
  stop(): Promise<void>;
}

type Mode =
  | { kind: 'pass' | 'blackHole' | 'garble' }
  | { kind: 'delay'; ms: number }
  | { kind: 'cutAfter'; left: number }
  | { kind: 'drip'; bytesPerSecond: number };

interface Wire {
  mode: Mode;
  bytes: { toServer: number; toClient: number };
  cut(): void;
}

/** Ten pieces a second: a drip that is neither one late chunk nor a timer per byte. */
const DRIP_MS = 100;

/** Starts a proxy on a free loopback port in front of `targetPort`. */
export async function proxy(targetPort: number): Promise<Proxy> {
  const pairs = new Set<{ client: Socket; upstream: Socket; pipes: Pipe[] }>();
  const cut = () => {
    for (const { client, upstream } of [...pairs]) {
      client.resetAndDestroy();
      upstream.destroy();
    }
  };
  const wire: Wire = { mode: { kind: 'pass' }, bytes: { toServer: 0, toClient: 0 }, cut };
  let accepted = 0;
  let target = targetPort;

  const serve = (client: Socket) => {
    accepted++;
    client.setNoDelay(true);
    const upstream = dial({ port: target, host: '127.0.0.1', noDelay: true });
    const pair = {
      client,
      upstream,
      pipes: [new Pipe(client, upstream, 'toServer', wire), new Pipe(upstream, client, 'toClient', wire)],
    };
    pairs.add(pair);
    const over = () => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      socket.on('error', over);
      socket.on('close', over);
    }
  };
  let server = await listen(serve, 0);
  const { port } = server.address() as { port: number };
  const set = (mode: Mode) => {
    wire.mode = mode;
    for (const { pipes } of pairs) for (const pipe of pipes) pipe.pump();
  };
  const refuse = async () => {
    if (!server.listening) return;
    const closed = new Promise((resolve) => server.close(resolve));
    cut();
    await closed;
  };
  return {
    host: '127.0.0.1',
    port,
    get connections() {
      return pairs.size;
    },
    get accepted() {
      return accepted;
    },
    bytes: wire.bytes,
    pass: () => set({ kind: 'pass' }),
    delay: (ms) => set({ kind: 'delay', ms }),
    blackHole: () => set({ kind: 'blackHole' }),
    cutAfter: (bytes) => set({ kind: 'cutAfter', left: bytes }),
    drip: (bytesPerSecond) => set({ kind: 'drip', bytesPerSecond }),
    garble: () => set({ kind: 'garble' }),
    cut,
    retarget(port) {
      target = port;
    },
    refuse,
    async accept() {
      if (!server.listening) server = await listen(serve, port);
    },
    stop: refuse,
  };
}

/** One direction of one connection: a queue of chunks, let out as the mode says. */
class Pipe {
  readonly #queue: Array<{ chunk: Buffer; at: number }> = [];
  readonly #to: Socket;
  readonly #direction: 'toServer' | 'toClient';
  readonly #wire: Wire;
  #timer: NodeJS.Timeout | undefined;
  #nextDrip = 0;

  constructor(from: Socket, to: Socket, direction: 'toServer' | 'toClient', wire: Wire) {
    this.#to = to;
    this.#direction = direction;
    this.#wire = wire;
    from.on('data', (chunk) => {
      this.#queue.push({ chunk: chunk as Buffer, at: performance.now() });
      this.pump();
    });
    from.once('close', () => clearTimeout(this.#timer));
  }

  pump(): void {
    clearTimeout(this.#timer);
    for (let head = this.#queue[0]; head; head = this.#queue[0]) {
      const mode = this.#wire.mode;
      const now = performance.now();
      const replies = this.#direction === 'toClient';
      if (mode.kind === 'blackHole') return;
      if (mode.kind === 'delay' && head.at + mode.ms > now) {
        this.#later(head.at + mode.ms - now);
        return;
      }
      if (mode.kind === 'drip' && replies) {
        if (this.#nextDrip > now) {
          this.#later(this.#nextDrip - now);
          return;
        }
        this.#nextDrip = now + DRIP_MS;
        this.#write(this.#take(Math.max(1, Math.round((mode.bytesPerSecond * DRIP_MS) / 1_000))));
      } else if (mode.kind === 'cutAfter' && replies) {
        const part = this.#take(mode.left);
        mode.left -= part.length;
        if (mode.left > 0) this.#write(part);
        else {
          this.#wire.mode = { kind: 'pass' };
          // Cut only when the kernel has the last piece, so that the client sees it before the end.
          this.#write(part, () => this.#wire.cut());
          return;
        }
      } else {
        const { chunk } = this.#queue.shift() as { chunk: Buffer };
        this.#write(mode.kind === 'garble' && replies ? chunk.map((byte) => byte ^ 0xff) : chunk);
      }
    }
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => this.pump(), Math.ceil(ms));
  }

  /** At most that many bytes off the front of the first chunk. */
  #take(bytes: number): Buffer {
    const head = this.#queue[0] as { chunk: Buffer; at: number };
    const part = head.chunk.subarray(0, bytes);
    if (part.length === head.chunk.length) this.#queue.shift();
    else head.chunk = head.chunk.subarray(part.length);
    return part;
  }

  #write(bytes: Uint8Array, sent?: () => void): void {
    this.#wire.bytes[this.#direction] += bytes.length;
    if (this.#to.destroyed) return;
    this.#to.write(bytes, sent);
  }
}

function listen(serve: (client: Socket) => void, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(serve);
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
