import type { EntityClass, EntitySchema } from '@mikro-orm/core';
import type { Authenticator } from './authentication/authenticator.js';
import type { NamedMigration } from './database/auth-migration.js';
import type { TableSweep } from './database/table-sweep.js';
import type { ErrorTable } from './error-table.js';
import type { AuthKernel } from './kernel.js';
import type { MailWords } from './mail/mail-words.js';
import type { Class } from './service-maker.js';
import type { SignInGate } from './sign-in/sign-in-gate.js';
import type { BaseUser } from './users/base-user.entity.js';

/**
 * What a feature contributes to the library: a plain object, the same for every app of the process. The features that
 * ship with the library are modules as well.
 */
export interface AuthModule<S extends object = object> {
  /** Its name, which error messages use. */
  readonly name: string;
  /** The class of its settings: properties with rules and defaults. Their names must differ from all others. */
  readonly settings?: new () => S;
  /** Makes its tables' entities, for one ORM. */
  readonly entities?: (user: () => EntityClass<BaseUser>) => readonly EntitySchema[];
  /** Its migrations, the oldest first. Each has a name of its own. */
  readonly migrations?: readonly NamedMigration[];
  /** The words of its mails, by name. */
  readonly mails?: Readonly<Record<string, MailWords>>;
  /** The errors that it raises (`errorsOf`), by code. */
  readonly errors?: ErrorTable;
  /** The names of its controllers (`@AuthController`) that an app can switch off: see `JwtAllauthOptions.routes`. */
  readonly routes?: readonly string[];
  /**
   * Makes its parts for one app.
   *
   * @param kernel what the library has for features, by name
   * @param settings its own, validated
   */
  create(kernel: AuthKernel, settings: S): ModuleParts | Promise<ModuleParts>;
}

/** What a module brings into one app. */
export interface ModuleParts {
  /** Controllers, made with `@AuthController`. */
  readonly controllers?: readonly Class<object>[];
  /** What every sign-in has to pass, behind the library's own gates, in this order. */
  readonly gates?: readonly SignInGate[];
  /** What `purge` deletes, by what it is called in the output of the command. */
  readonly sweeps?: Readonly<Record<string, TableSweep>>;
  /** Ways to find out who sends a request without an access token of ours. They are asked behind those of the app. */
  readonly authenticators?: readonly Authenticator[];
  /** Stops its background work. */
  readonly close?: () => Promise<void>;
}
