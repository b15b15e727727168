export { type Credentials, LoginService } from './login.service.js';
export { type PasswordChange, PasswordChangeService } from './password-change.service.js';
