/** A command cannot do what it was asked for. The message is a sentence for who typed it, and all that is shown. */
export class CommandError extends Error {}
