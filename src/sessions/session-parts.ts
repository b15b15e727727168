import type { KernelOf, ServiceMaker } from '../service-maker.js';
import { ClientNetworks } from './client-networks.js';
import { DeactivationService } from './deactivation.service.js';
import { KnownNetworks } from './known-networks.js';
import { LogoutService } from './logout.service.js';
import { RemoteRevocations } from './remote-revocations.js';
import { Replays } from './replays.js';
import { ReuseReports } from './reuse-reports.js';
import { RevocationListener } from './revocation-listener.js';
import { RotationService } from './rotation.service.js';
import { RotationOrigins } from './rotation-origins.js';
import { SessionService } from './session.service.js';
import { SessionChecker } from './session-checker.js';
import { SessionEndings } from './session-endings.js';
import { SessionKeys } from './session-keys.js';
import { SessionProofs } from './session-proofs.js';
import { SessionStore } from './session-store.js';
import { TokenChoice } from './token-choice.js';

/** The services of sessions, by name. */
export interface SessionParts {
  readonly clientNetworks: ClientNetworks;
  readonly sessionStore: SessionStore;
  readonly sessionEndings: SessionEndings;
  readonly knownNetworks: KnownNetworks;
  readonly sessions: SessionService;
  readonly sessionProofs: SessionProofs;
  readonly sessionKeys: SessionKeys;
  readonly reuseReports: ReuseReports;
  readonly replays: Replays;
  readonly rotationOrigins: RotationOrigins;
  readonly tokenChoice: TokenChoice;
  readonly rotation: RotationService;
  readonly logout: LogoutService;
  readonly deactivation: DeactivationService;
  readonly listener: RevocationListener;
  readonly sessionChecker: SessionChecker;
}

/** The services of the lower layers that sessions need. */
type LowerParts = Omit<
  KernelOf<typeof DeactivationService> &
    KernelOf<typeof KnownNetworks> &
    KernelOf<typeof LogoutService> &
    KernelOf<typeof RemoteRevocations> &
    KernelOf<typeof Replays> &
    KernelOf<typeof RevocationListener> &
    KernelOf<typeof RotationService> &
    KernelOf<typeof RotationOrigins> &
    KernelOf<typeof SessionService> &
    KernelOf<typeof SessionEndings> &
    KernelOf<typeof SessionKeys> &
    KernelOf<typeof SessionProofs> &
    KernelOf<typeof TokenChoice>,
  keyof SessionParts | 'remoteRevocations'
> & { readonly make: ServiceMaker };

/** Makes the services of the sessions of one app. */
export function createSessionParts(lower: LowerParts): SessionParts {
  const { database, orm, users, settings, journal, logger, make } = lower;
  const remoteRevocations = new RemoteRevocations(lower);
  const sessionStore = new SessionStore(database, users, orm);
  const stores = {
    sessionStore,
    sessionEndings: new SessionEndings({ ...lower, remoteRevocations }),
    knownNetworks: new KnownNetworks({ ...lower, sessionStore }),
  };
  const sessions = make(SessionService, { ...lower, ...stores });
  const reuseReports = new ReuseReports(journal, logger);
  const parts = {
    ...stores,
    sessions,
    reuseReports,
    replays: new Replays({ ...lower, ...stores, sessions, reuseReports }),
    rotationOrigins: new RotationOrigins(lower),
    sessionProofs: new SessionProofs({ ...lower, ...stores }),
    sessionKeys: new SessionKeys(lower),
    tokenChoice: new TokenChoice({ ...lower, ...stores }),
  };
  const listener = new RevocationListener({ ...lower, remoteRevocations });
  return {
    ...parts,
    clientNetworks: new ClientNetworks(logger),
    rotation: make(RotationService, { ...lower, ...parts }),
    logout: make(LogoutService, { ...lower, ...parts }),
    deactivation: make(DeactivationService, { ...lower, ...parts }),
    listener,
    sessionChecker: new SessionChecker(listener, sessions, settings),
  };
}
