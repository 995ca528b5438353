/** One turn's operations, packed as src/binding/batch.rs unpacks them. */

const GET = 1;
const GET_TAGS = 2;
const SET = 3;
const CLEAR = 4;
const FIRST_FLAG = 1 << 8;
const SECOND_FLAG = 2 << 8;

const TWO_32 = 2 ** 32;
/** All ones, in both words of a lifetime: for ever. */
const ALL_ONES = TWO_32 - 1;

/** Room for 64 gets; grows by doubling and is kept. */
const FIRST_WORDS = 256;

export class Batch {
  words = new Uint32Array(FIRST_WORDS);
  /** Words in use. */
  length = 0;
  /** All keys and tags; V8 joins it when the core reads it. */
  text = '';
  values: (string | Uint8Array)[] = [];
  /** Units of text and values. */
  weight = 0;

  get(key: string, remember: boolean): void {
    this.reserve(2);
    this.word(remember ? GET | FIRST_FLAG : GET);
    this.part(key);
  }

  getByTags(tags: readonly string[]): void {
    this.reserve(2 + tags.length);
    this.word(GET_TAGS);
    this.parts(tags);
  }

  /** `ttlMs`: a whole number, or Infinity. */
  set(key: string, value: string | Uint8Array, ttlMs: number, tags: readonly string[], auto: boolean): void {
    this.reserve(5 + tags.length);
    const binary = typeof value !== 'string';
    this.word(SET | (auto ? FIRST_FLAG : 0) | (binary ? SECOND_FLAG : 0));
    this.part(key);
    const ever = ttlMs === Number.POSITIVE_INFINITY;
    this.word(ever ? ALL_ONES : ttlMs % TWO_32);
    this.word(ever ? ALL_ONES : Math.floor(ttlMs / TWO_32));
    this.parts(tags);
    this.values.push(value);
    this.weight += value.length;
  }

  clear(key: string | undefined, tags: readonly string[], raise: 'all' | 'auto'): void {
    this.reserve(3 + tags.length);
    this.word(CLEAR | (key === undefined ? 0 : FIRST_FLAG) | (raise === 'auto' ? SECOND_FLAG : 0));
    if (key !== undefined) {
      this.part(key);
    }
    this.parts(tags);
  }

  /** Empties it; the words are kept. */
  reset(): void {
    this.length = 0;
    this.text = '';
    this.values = [];
    this.weight = 0;
  }

  private parts(texts: readonly string[]): void {
    this.word(texts.length);
    for (const text of texts) {
      this.part(text);
    }
  }

  private part(text: string): void {
    this.word(text.length);
    this.text += text;
    this.weight += text.length;
  }

  private word(word: number): void {
    this.words[this.length++] = word;
  }

  private reserve(words: number): void {
    if (this.length + words > this.words.length) {
      const grown = new Uint32Array(Math.max(this.words.length * 2, this.length + words));
      grown.set(this.words);
      this.words = grown;
    }
  }
}
