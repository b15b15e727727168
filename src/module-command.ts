import type { UserId } from './users/base-user.entity.js';

/**
 * A command that a module adds to the command line (`AuthModule.commands`).
 *
 * @typeParam Auth the part of `JwtAllauth` that it uses
 */
export interface ModuleCommand<Auth = unknown> {
  /** The words after `jwt-allauth`, such as `mfa reset`. */
  readonly name: string;
  /** What it does, for `--help`. */
  readonly description: string;
  readonly options?: readonly ModuleCommandOption[];
  /** Runs the command. The message of an error is printed, and the exit code is 1. */
  run(call: ModuleCommandCall<Auth>): Promise<void>;
}

/** An option of a command. */
export interface ModuleCommandOption {
  /** Its name, and its value if it has one, as in `--user <id or e-mail>` or `--json`. */
  readonly flags: string;
  readonly description: string;
  readonly isRequired?: boolean;
}

/** The result of a check. */
export interface CheckResult {
  readonly status: 'ok' | 'warning' | 'failed';
  /** Says what was found, and names a remedy if the check knows one. It must not show a secret. */
  readonly message: string;
}

/**
 * A check that a module adds to `jwt-allauth check` (`AuthModule.checks`). It runs if the settings are valid and all
 * tables exist.
 *
 * @typeParam Auth the part of `JwtAllauth` that it uses
 */
export interface ModuleCheck<Auth = unknown> {
  /** The name of its line, such as `totp-keys`. */
  readonly name: string;
  /** @param auth the library, made with the settings of the environment */
  run(auth: Auth): Promise<CheckResult>;
}

/** A call of a command, on the app that `--orm` names. */
export interface ModuleCommandCall<Auth = unknown> {
  /** The library, made with the settings of the environment. */
  readonly auth: Auth;
  /** The options by name, in camel case: a text, or true for an option without a value. */
  readonly options: Readonly<Record<string, string | true | undefined>>;
  /** Finds the key of a user by id or e-mail address. @throws an error that says that there is no such user */
  findUser(idOrEmail: string): Promise<UserId>;
  /** Prints a line on standard output. */
  print(line: string): void;
}
