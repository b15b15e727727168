export { type AuthEntitiesOptions, createAuthEntities } from './auth-entities.js';
export { authMigrations } from './auth-migrations.js';
export type { AppServerOptions } from './auth-server.js';
export type { AccessPredicate } from './authentication/access-predicate.js';
export type { AccessRequest } from './authentication/access-request.js';
export { type AccessRule, EmailVerified } from './authentication/access-rule.js';
export type { Authenticator, AuthenticatorClass } from './authentication/authenticator.js';
export { Fresh } from './authentication/fresh.js';
export { LoadUser } from './authentication/load-user.decorator.js';
export { Principal, type PrincipalClaims } from './authentication/principal.js';
export { SecondFactor } from './authentication/second-factor.js';
export { SessionCheck } from './authentication/session-check.decorator.js';
export { SessionPrincipal } from './authentication/session-principal.js';
export { Clock } from './clock.js';
export { type PurgeOptions, type PurgeResult, PurgeService } from './database/purge.service.js';
export {
  ErrorCode,
  type FieldError,
  JwtAllauthError,
  type JwtAllauthErrorOptions,
  type ProblemDetails,
  type RefusalReason,
  type StepUp,
  type TokenReuse,
} from './error.js';
export * from './features/account/index.js';
export * from './features/email/index.js';
export * from './features/invitations/index.js';
export * from './features/password/index.js';
export * from './features/password-by-mail/index.js';
export * from './features/reauthentication/index.js';
export * from './features/registration/index.js';
export { FromOwnOrigin } from './http/from-own-origin.decorator.js';
export type { HttpRequest, HttpResponse } from './http/http-message.js';
export type { PasswordPurpose } from './http/mailed-password-flow.js';
export type { TokenBody } from './http/refresh-token-transport.js';
export type { RequireAuth } from './http/require-auth.js';
export type { RouteSwitches } from './http/route-switches.js';
export {
  type AppInputs,
  createJwtAllauth,
  type JwtAllauth,
  type JwtAllauthOptions,
} from './jwt-allauth.js';
export { MailLimiter } from './mail/mail-limiter.js';
export { type Mail, Mailer } from './mail/mailer.js';
export { Outbox } from './mail/outbox.js';
export {
  type AuthEvent,
  type AuthEventMap,
  AuthEvents,
  type LoginFailed,
  type NamedEvent,
  type RevocationReason,
  type SessionEvent,
  type SessionOpened,
  type SessionReauthenticated,
  type SessionReuseDetected,
  type SessionRevoked,
  type UserEvent,
  type UserRegistered,
} from './observability/auth-events.js';
export type { Logger } from './observability/logger.js';
export type { AuthHooks, RefreshHook, SignInHook, SignUpHook } from './sessions/auth-hooks.js';
export type { ClientDevice, SessionClient } from './sessions/client-device.js';
export { DeactivationService } from './sessions/deactivation.service.js';
export { LogoutService } from './sessions/logout.service.js';
export { RotationService } from './sessions/rotation.service.js';
export {
  type OpenOptions,
  type RevokeOptions,
  type SessionReference,
  SessionService,
} from './sessions/session.service.js';
export type { SessionInfo } from './sessions/session-info.js';
export type { EmailVerificationMode } from './settings/account-settings.js';
export type { Algorithm } from './settings/algorithm.js';
export type { RateLimit, RateLimitScope } from './settings/rate-limit.js';
export type { RevocationListFallback, SessionCheckMode } from './settings/session-settings.js';
export { type ModuleSettings, Settings, type SettingsInput } from './settings/settings.js';
export { type SettingFault, SettingsError } from './settings/settings-error.js';
export { settingsFromEnv } from './settings/settings-from-env.js';
export { BegunSignIn, type SignInAdmission, type SignInDecision, tokensOf } from './sign-in/begun-sign-in.js';
export { type Challenge, isChallenge, secondFactorRequired } from './sign-in/challenge.js';
export { type LoginAttempt, LoginLimiter } from './sign-in/login-limiter.js';
export type { ReAuthentication } from './sign-in/re-authentication.js';
export { SignInService } from './sign-in/sign-in.service.js';
export type { AppSignIn, SignInAttempt } from './sign-in/sign-in-attempt.js';
export type { CompletionOrder, SignInCompletion } from './sign-in/sign-in-completion.js';
export type { SignInGate } from './sign-in/sign-in-gate.js';
export type { MailedReset, SignInMethod } from './sign-in/sign-in-method.js';
export type { CustomClaims, TokenClaims, TokenType } from './tokens/claims.js';
export { type ForUserOptions, RefreshToken, type RefreshTokenClass } from './tokens/refresh-token.js';
export type { RequestClient, SessionContext } from './tokens/session-context.js';
export type { SigningKey, SigningKeys } from './tokens/signing-keys.js';
export { type TokenContext, TokenFactory, type TokenSession } from './tokens/token-factory.js';
export { Tokens } from './tokens/tokens.js';
export { BaseUser, type UserId } from './users/base-user.entity.js';
export { BreachedPasswords } from './users/breached-passwords.js';
export { EmailType } from './users/email.js';
export type { HashWork } from './users/hash-queue.js';
export type { LegacyPasswords } from './users/legacy-passwords.js';
export { type Argon2Parameters, type HashOptions, PasswordHasher } from './users/password-hasher.js';
export { type PasswordOwnerFacts, PasswordPolicy } from './users/password-policy.js';
export { Role } from './users/role.js';
export { User } from './users/user.entity.js';
export { type PasswordOwner, UserService } from './users/user.service.js';
export { type NewUser, type NewUserFields, UserCreationService } from './users/user-creation.service.js';
