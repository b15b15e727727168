/**
 * Where the library reports what an operator should know. A pino logger fits as it is. No field ever contains a token,
 * a password or a key.
 */
export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  /** Where an error is the reason, it is in `fields.err`, under the name that pino looks for. */
  error(fields: object, message: string): void;
}

/** Warnings and errors as one line of JSON each on standard error; everything else is dropped. */
export const consoleLogger: Logger = {
  info() {},
  warn: (fields, message) => console.warn(JSON.stringify({ level: 'warn', message, ...fields })),
  error: (fields, message) => {
    // JSON shows nothing of an error; the other fields say what it was.
    const { err: _, ...others } = fields as { err?: unknown };
    console.error(JSON.stringify({ level: 'error', message, ...others }));
  },
};
