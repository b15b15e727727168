import type { EntityClass, EntitySchema } from '@mikro-orm/core';
import type { Authenticator } from './authentication/authenticator.js';
import type { NamedMigration } from './database/auth-migration.js';
import type { TableSweep } from './database/table-sweep.js';
import type { ErrorTable } from './error-table.js';
import type { AuthKernel } from './kernel.js';
import type { MailWords } from './mail/mail-words.js';
import type { ModuleCheck, ModuleCommand } from './module-command.js';
import type { Class } from './service-maker.js';
import type { ReAuthentication } from './sign-in/re-authentication.js';
import type { SecondFactor } from './sign-in/second-factor.js';
import type { SignInCompletion } from './sign-in/sign-in-completion.js';
import type { SignInGate } from './sign-in/sign-in-gate.js';
import type { SignInMethod } from './sign-in/sign-in-method.js';
import type { BaseUser } from './users/base-user.entity.js';

/**
 * A feature of the library or of an app: a plain object that contributes tables, settings, routes, mails and more. The
 * features that ship with the library are modules too. The same object can serve several apps of one process.
 */
export interface AuthModule<S extends object = object> {
  /** The unique name of the module, for error messages. */
  readonly name: string;
  /** The class of its settings: properties with rules and defaults. No other module may have the same settings. */
  readonly settings?: new () => S;
  /** Makes the entities of its tables, for one ORM. */
  readonly entities?: (user: () => EntityClass<BaseUser>) => readonly EntitySchema[];
  /** Its migrations, oldest first. Each has a unique name. */
  readonly migrations?: readonly NamedMigration[];
  /** The texts of its mails, by name of the mail. */
  readonly mails?: Readonly<Record<string, MailWords>>;
  /** The bodies of its HTML pages, as Eta templates over `PageData`, by name of the page. */
  readonly pages?: Readonly<Record<string, string>>;
  /** The errors that it throws (`errorsOf`), by code. */
  readonly errors?: ErrorTable;
  /** The names of its controllers (`@AuthController`) that an app can switch off with `JwtAllauthOptions.routes`. */
  readonly routes?: readonly string[];
  /** Its commands for the command line. */
  readonly commands?: readonly ModuleCommand[];
  /** Its checks for `jwt-allauth check`. */
  readonly checks?: readonly ModuleCheck[];
  /**
   * Creates its parts for one app.
   *
   * @param kernel the library's services
   * @param settings the validated settings of this module
   */
  create(kernel: AuthKernel, settings: S): ModuleParts | Promise<ModuleParts>;
}

/** The parts of a module in one app. */
export interface ModuleParts {
  /** Controllers, made with `@AuthController`. */
  readonly controllers?: readonly Class<object>[];
  /** Gates that every sign-in must pass, after the library's own gates, in this order. */
  readonly gates?: readonly SignInGate[];
  /** Kinds of second factors. A sign-in asks for them after all gates. */
  readonly secondFactors?: readonly SecondFactor[];
  /** Methods to sign in. A user cannot remove the last one that works. */
  readonly signInMethods?: readonly SignInMethod[];
  /**
   * Work that is done when a sign-in is admitted (`SignInAttempt.completion`), or when a sign-up is confirmed
   * (`PendingSignUp.completion`), by name.
   */
  readonly completions?: Readonly<Record<string, SignInCompletion>>;
  /** Methods by which a signed-in user authenticates again (`POST /reauthenticate`). Each has a member of its own. */
  readonly reAuthentications?: readonly ReAuthentication<never>[];
  /**
   * Objects for the app's code, by the name of the property of `JwtAllauth`. The module declares their types by
   * declaration merging of `JwtAllauth`.
   */
  readonly api?: Readonly<Record<string, object>>;
  /** What `purge` deletes, by the name that the result of a purge has for it. */
  readonly sweeps?: Readonly<Record<string, TableSweep>>;
  /** Authenticators for requests without an access token of this library. They are called after the app's own. */
  readonly authenticators?: readonly Authenticator[];
  /** Stops the background work of the module. */
  readonly close?: () => Promise<void>;
}
