// The entry point `jwt-allauth/module`, for the code of modules.

export type { Authenticator } from './authentication/authenticator.js';
export { Principal } from './authentication/principal.js';
export { SessionPrincipal } from './authentication/session-principal.js';
export { AuthMigration, type NamedMigration } from './database/auth-migration.js';
export type { Database } from './database/database.js';
export { Table } from './database/table.js';
export { type SweepRule, TableSweep } from './database/table-sweep.js';
export { authError, type ErrorMaker, type ErrorRow, type ErrorTable, errorsOf } from './error-table.js';
export { AuthController, type AuthControllerOptions } from './http/auth-controller.decorator.js';
export type { ControllerParts, LinkParts } from './http/controller-parts.js';
export { DescribeRoute } from './http/describe-route.decorator.js';
export { clientOf, type HttpRequest, type HttpResponse } from './http/http-message.js';
export type { JsonSchema, NamedSchema } from './http/json-schema.js';
export type { RouteAnswer, RouteDescription } from './http/route-description.js';
export { validateInput } from './http/validate-input.js';
export type { AuthKernel } from './kernel.js';
export type { MailWords } from './mail/mail-words.js';
export type { AuthModule, ModuleParts } from './module.js';
export type {
  CheckResult,
  ModuleCheck,
  ModuleCommand,
  ModuleCommandCall,
  ModuleCommandOption,
} from './module-command.js';
export { Count, Duration, Flag, must, optional, Text } from './settings/setting-rules.js';
export { type Challenge, secondFactorRequired } from './sign-in/challenge.js';
export type { PasswordlessPerson } from './sign-in/passwordless-sign-ups.js';
export type { ReAuthentication } from './sign-in/re-authentication.js';
export type { SecondFactor, SecondFactorProof, TakenBack } from './sign-in/second-factor.js';
export type { SignInAttempt } from './sign-in/sign-in-attempt.js';
export type { CompletionOrder, SignInCompletion } from './sign-in/sign-in-completion.js';
export type { SignInGate } from './sign-in/sign-in-gate.js';
export type { MailedReset, SignInMethod } from './sign-in/sign-in-method.js';
