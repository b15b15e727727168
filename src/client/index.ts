export type { CallOptions, ClientCalls, Names, ReasonToRepeat, UserProofs } from '../client-calls.js';
export type { ErrorCode, FieldError } from '../error.js';
export type { UserProfile } from '../features/account/account.client.js';
export type { DeviceSession } from '../features/devices/devices.client.js';
export type { AccessTokenClaims } from './access-token.js';
export { errorOf } from './answer.js';
export { AuthClient, type AuthClientOptions } from './auth-client.js';
export { AuthError, type AuthErrorDetails, type ClientErrorCode } from './auth-error.js';
export type { AuthState } from './session-keeper.js';
