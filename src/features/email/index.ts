export { type EmailChange, EmailChangeService } from './email-change.service.js';
export { type ChangedEmail, EmailUndoService } from './email-undo.service.js';
export { type Confirmation, EmailVerificationService } from './email-verification.service.js';
