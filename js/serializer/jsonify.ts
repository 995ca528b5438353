/** What is read back of a value that was stored as JSON. */

type Callable = (...given: never[]) => unknown;

/** What is the same after a way through JSON. Asked first: of a type that names itself the compiler would not find an end. */
type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue | undefined };

/** Whether a property of this type is left out of JSON. */
type IsLeftOut<P> = unknown extends P
  ? false
  : [Exclude<P, undefined>] extends [Callable | symbol]
    ? true
    : false;

/**
 * `T` after a way through JSON: a `Date` is a string, what has a `toJSON` is what that says, methods are gone. Types that JSON keeps
 * are what they were.
 */
export type Jsonify<T> = unknown extends T
  ? T
  : T extends JsonValue | undefined
    ? T
    : T extends { toJSON(...given: never[]): infer Said }
      ? Jsonify<Said>
      : T extends bigint | symbol | Callable
        ? never
        : T extends readonly unknown[]
          ? { [At in keyof T]: Jsonify<T[At]> }
          : T extends object
            ? {
                [Name in keyof T as IsLeftOut<T[Name]> extends true ? never : Exclude<Name, symbol>]: Jsonify<
                  T[Name]
                >;
              }
            : T;

/** What `getOrSet` of a cache gives for what its factory makes. */
export type Made<T, Allowed> = unknown extends Allowed ? T : Jsonify<T>;

/** Whether a value that JSON can hold is read back as another: it says itself what it becomes. */
export function becomesAnother(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'bigint';
  }
  return (
    typeof (value as { toJSON?: unknown }).toJSON === 'function' || Object.values(value).some(becomesAnother)
  );
}
