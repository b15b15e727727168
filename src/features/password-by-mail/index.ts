export { type MailedKey, PasswordByMailService } from './password-by-mail.service.js';
