export { type Reauthentication, ReauthenticationService } from './reauthentication.service.js';
