export declare function runtimeRuns(): number;
