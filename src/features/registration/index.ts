export { RegistrationInput } from '../../http/registration.input.js';
export {
  type Registration,
  RegistrationService,
  type SignUp,
} from './registration.service.js';
