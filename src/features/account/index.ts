export { AccountDeletionService } from './account-deletion.service.js';
export { ProfileInput } from './profile.input.js';
export { type ProfileChanges, ProfileService } from './profile.service.js';
