// What hot-path.mjs and the process that it traces agree upon.

/** Gets asked for in one turn. */
export const AT_ONCE = [1, 64];

/** A file that nobody has: asking for it shows in a trace where counting begins and ends. */
export const mark = (which, atOnce) => `/cachalot-${which}-${atOnce}`;
