/** The log of the library. A pino logger has this interface. No field ever contains a token, a password or a key. */
export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  /** `fields.err` has the error that was the cause, if there is one (pino's name for it). */
  error(fields: object, message: string): void;
}

/** Writes warnings and errors to standard error, each as one line of JSON. Drops the rest. */
export const consoleLogger: Logger = {
  info() {},
  warn: (fields, message) => console.warn(JSON.stringify({ level: 'warn', message, ...fields })),
  error: (fields, message) => {
    // JSON.stringify turns an Error into {}.
    const { err: _, ...others } = fields as { err?: unknown };
    console.error(JSON.stringify({ level: 'error', message, ...others }));
  },
};
