export type { ErrorCode, FieldError } from '../error.js';
export type { AccessTokenClaims } from './access-token.js';
export type { DeviceSession, Names, UserProfile } from './account.js';
export { errorOf } from './answer.js';
export { AuthClient, type AuthClientOptions } from './auth-client.js';
export { AuthError, type ClientErrorCode } from './auth-error.js';
export { memoryStore, type RefreshTokenStore } from './refresh-token-store.js';
export type { AuthState } from './session-keeper.js';
