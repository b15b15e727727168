export { type Invitation, InvitationService } from './invitation.service.js';
