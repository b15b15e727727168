/** An error of a command. Its message is a sentence for the person who ran it; nothing else is printed. */
export class CommandError extends Error {}
