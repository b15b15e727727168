/**
 * A failure that a command expects, such as a missing file. Its message is for the person who ran the command. The
 * command line prints only the message, without a stack trace.
 */
export class CommandError extends Error {}
