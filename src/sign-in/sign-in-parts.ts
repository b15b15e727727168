import type { KernelOf, ServiceMaker } from '../service-maker.js';
import { Challenges } from './challenges.js';
import { Freshness } from './freshness.js';
import { LoginFailures } from './login-failures.js';
import { LoginLimiter } from './login-limiter.js';
import { MailboxProofs } from './mailbox-proofs.js';
import { PasswordProof } from './password-proof.js';
import { PasswordlessSignUps } from './passwordless-sign-ups.js';
import { ReAuthentications } from './re-authentications.js';
import { SecondFactors } from './second-factors.js';
import { SignInService } from './sign-in.service.js';
import { SignInMethods } from './sign-in-methods.js';
import { SignUpLimiter } from './sign-up-limiter.js';
import { UnconfirmedSignUps } from './unconfirmed-sign-ups.js';

/** The services of the sign-in, by name. */
export interface SignInParts {
  readonly loginLimiter: LoginLimiter;
  readonly loginFailures: LoginFailures;
  readonly passwordProof: PasswordProof;
  /** The sign-ins that wait for a second factor. */
  readonly challenges: Challenges;
  readonly secondFactors: SecondFactors;
  /** Checks that a session is fresh, before actions that a thief of an access token must not do. */
  readonly freshness: Freshness;
  /** The methods by which a signed-in user authenticates again. */
  readonly reAuthentications: ReAuthentications;
  /** Opens sessions. All ways to sign in use it. */
  readonly signIn: SignInService;
  /** The methods to sign in. A user must keep one that works. */
  readonly signInMethods: SignInMethods;
  /** Gives an account to the person who proves access to its mailbox. */
  readonly mailboxProofs: MailboxProofs;
  /** Limits sign-ups (REGISTRATION_RATE_LIMIT). */
  readonly signUpLimiter: SignUpLimiter;
  /** Signs up people without a password. */
  readonly passwordlessSignUps: PasswordlessSignUps;
  /** Stores sign-ups that a mailed link must confirm first. */
  readonly unconfirmedSignUps: UnconfirmedSignUps;
}

/** The services of the lower layers that the sign-in needs. */
type LowerParts = Omit<
  KernelOf<typeof LoginLimiter> &
    KernelOf<typeof Challenges> &
    KernelOf<typeof SecondFactors> &
    KernelOf<typeof SignInMethods> &
    KernelOf<typeof SignInService> &
    KernelOf<typeof PasswordProof> &
    KernelOf<typeof Freshness> &
    KernelOf<typeof MailboxProofs> &
    KernelOf<typeof SignUpLimiter> &
    KernelOf<typeof PasswordlessSignUps> &
    KernelOf<typeof UnconfirmedSignUps>,
  keyof SignInParts
> & {
  readonly journal: ConstructorParameters<typeof LoginFailures>[0];
  readonly make: ServiceMaker;
};

/** Makes the services of the sign-in of one app. */
export function createSignInParts(lower: LowerParts): SignInParts {
  const { make, journal } = lower;
  const challenges = new Challenges(lower);
  const secondFactors = new SecondFactors({ ...lower, challenges });
  const limits = { loginLimiter: make(LoginLimiter, lower), loginFailures: new LoginFailures(journal) };
  const factors = {
    ...limits,
    challenges,
    secondFactors,
    signInMethods: new SignInMethods({ ...lower, secondFactors }),
  };
  const passwordProof = new PasswordProof({ ...lower, ...factors });
  const signIn = make(SignInService, { ...lower, ...factors });
  const proofs = { ...factors, passwordProof, signIn };
  return {
    ...proofs,
    freshness: new Freshness({ ...lower, ...proofs }),
    reAuthentications: new ReAuthentications([passwordProof]),
    signUpLimiter: new SignUpLimiter(lower),
    mailboxProofs: new MailboxProofs({ ...lower, ...proofs }),
    passwordlessSignUps: new PasswordlessSignUps({ ...lower, ...proofs }),
    unconfirmedSignUps: new UnconfirmedSignUps(lower),
  };
}
