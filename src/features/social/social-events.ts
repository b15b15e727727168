import type { UserEvent } from '../../observability/auth-events.js';

/** An account of a provider was connected to a user, who can sign in with it now. */
export interface ProviderConnected extends UserEvent {
  /** The id of the provider, such as `google`. */
  readonly provider: string;
}

/** An account of a provider was disconnected from a user. */
export interface ProviderDisconnected extends UserEvent {
  /** The id of the provider, such as `google`. */
  readonly provider: string;
  /**
   * `mailbox-owner`: the owner of the mailbox has set a new password by mail, or has taken back an account that
   * a stranger could use.
   */
  readonly by: 'user' | 'mailbox-owner';
}

declare module '../../observability/auth-events.js' {
  interface AuthEventMap {
    'provider.connected': ProviderConnected;
    'provider.disconnected': ProviderDisconnected;
  }
}
