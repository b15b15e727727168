/**
 * The variable with which the processes of a run share compiled code: one that loads the library needs a tenth less time.
 * For processes that do not inherit the variables of the run.
 */
export const COMPILE_CACHE = { NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] };
