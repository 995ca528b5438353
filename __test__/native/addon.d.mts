export declare const addon: typeof import('#native').default;
export declare function gets(count: number): Uint32Array;
export declare function redisOn(port: number, commandMs: number): string;
