import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { TokenClaims } from '../../tokens/claims.js';
import type { Tokens } from '../../tokens/tokens.js';
import { expectedClaims } from './native-id-token.js';
import { type FlowSecrets, ProviderClient } from './provider-client.js';
import type { ProviderIdentities } from './provider-identities.js';
import { unsignedName } from './provider-parameters.js';
import type { ReturnUrls } from './return-urls.js';
import type { SocialConnectionService } from './social-connection.service.js';
import { providerRefused } from './social-errors.js';
import type { ExchangeProof } from './social-exchanges.js';
import type { SocialFailures } from './social-failures.js';
import type { SocialLimiter } from './social-limiter.js';
import type { SocialProviders } from './social-providers.js';
import type { SocialSignInService } from './social-sign-in.service.js';
import type { PendingFlow, SocialStates } from './social-states.js';
import type { UsedIdTokens } from './used-id-tokens.js';

/** What a browser asks for when a sign-in begins. `returnTo` is checked already. */
export interface FlowRequest extends Omit<PendingFlow, keyof FlowSecrets | 'connecting'> {
  /** The value of the browser's cookie. */
  readonly browser: string;
}

/** The result of a provider's answer: tokens, a code to fetch them, or neither if an account was connected. */
export interface FlowResult {
  readonly tokens?: Tokens;
  readonly code?: string;
}

/** The steps from the app to a provider and back. */
export class SocialFlowService {
  constructor(
    protected readonly kernel: Pick<AuthKernel, 'telemetry'> & {
      readonly socialProviders: SocialProviders;
      readonly socialStates: SocialStates;
      readonly socialLimiter: SocialLimiter;
      readonly socialFailures: SocialFailures;
      readonly providerIdentities: ProviderIdentities;
      readonly socialSignIn: SocialSignInService;
      readonly socialConnection: SocialConnectionService;
      readonly usedIdTokens: UsedIdTokens;
      readonly returnUrls: ReturnUrls;
      /** The URL of the callback of a provider. */
      readonly callbackUrl: (provider: string) => string;
    },
  ) {}

  /** Whether this app has a provider. */
  hasProvider(id: string): boolean {
    return this.kernel.socialProviders.has(id);
  }

  /** The providers, for the buttons of a page. */
  get providers(): { readonly id: string; readonly name: string }[] {
    return this.kernel.socialProviders.all.map(({ id, name }) => ({ id, name }));
  }

  /**
   * Checks a request to begin a sign-in.
   *
   * @returns where the browser goes afterwards
   * @throws provider_not_found, return_url_not_allowed, too_many_requests
   */
  async check(provider: string, returnTo: unknown, client: SessionClient): Promise<string> {
    this.kernel.socialProviders.get(provider);
    await this.kernel.socialLimiter.count('start', client); // first, because a refusal is logged
    return this.#logged(provider, async () => this.kernel.returnUrls.resolve(returnTo));
  }

  /**
   * Begins a sign-in, or the connection of an account.
   *
   * @returns the URL of the provider
   * @throws provider_not_found, provider_unavailable, provider_refused
   */
  async begin(request: FlowRequest, connecting?: PendingFlow['connecting']): Promise<string> {
    const { browser, ...asked } = request;
    const { provider } = asked;
    const secrets = { state: this.kernel.socialStates.create(), ...ProviderClient.secrets() };
    const client = this.kernel.socialProviders.get(provider);
    const url = await client.authorizationUrl(this.kernel.callbackUrl(provider), secrets);
    const { state, nonce, codeVerifier } = secrets;
    await this.kernel.socialStates.add(state, browser, { ...asked, nonce, codeVerifier, connecting });
    return url;
  }

  /**
   * Begins the connection of an account to the caller's user.
   *
   * @throws provider_already_connected, reauthentication_required, second_factor_required, token_not_valid, and what
   * `begin` throws
   */
  async beginConnection(claims: TokenClaims, request: FlowRequest): Promise<string> {
    const { provider } = request;
    return this.#logged(provider, async () => {
      return this.begin(request, await this.kernel.socialConnection.begin(claims, provider));
    });
  }

  /**
   * Finds the sign-in that an answer belongs to, and uses its `state` up. Undefined if it is unknown, or belongs to
   * another browser or another provider.
   *
   * @throws too_many_requests
   */
  async take(
    provider: string,
    answer: URLSearchParams,
    { browsers, client }: { readonly browsers: readonly string[]; readonly client: SessionClient },
  ): Promise<PendingFlow | undefined> {
    await this.kernel.socialLimiter.count('callback', client);
    const flow = await this.kernel.socialStates.take(answer.get('state') ?? '', browsers);
    return flow?.provider === provider && this.kernel.socialProviders.has(provider) ? flow : undefined;
  }

  /**
   * Checks the provider's answer, and then signs the user in or connects the account.
   *
   * @throws provider_refused, provider_unavailable, and what `SocialSignInService.signIn` and
   * `SocialConnectionService.connect` throw
   */
  async complete(flow: PendingFlow, answer: URLSearchParams, client: SessionClient): Promise<FlowResult> {
    const { socialProviders, providerIdentities, socialSignIn, socialConnection, callbackUrl } = this.kernel;
    const protocol = socialProviders.get(flow.provider);
    const url = new URL(callbackUrl(flow.provider));
    url.search = answer.toString();
    const name = unsignedName(answer);
    url.searchParams.delete('user');
    const verified = await protocol.redeem(url, { ...flow, state: answer.get('state') ?? '' });
    const identity = await providerIdentities.of(protocol.provider, { ...verified, unsignedName: name });
    if (flow.connecting) {
      await socialConnection.connect(flow.connecting, identity);
      return {};
    }
    if (flow.transport === 'body') return { code: await socialSignIn.admit(identity, client, flow.exchangeChallenge) };
    return { tokens: await socialSignIn.signIn(identity, client) };
  }

  /** Opens the session of a code. @throws token_not_valid, too_many_requests, and what gates throw */
  async exchange(proof: ExchangeProof, client: SessionClient): Promise<Tokens> {
    await this.kernel.socialLimiter.count('token', client);
    return this.kernel.socialSignIn.exchange(proof, client);
  }

  /**
   * Signs in with an ID token that a native app got from the provider. A token is good once.
   *
   * @throws provider_not_found, provider_refused, provider_unavailable, too_many_requests, and what
   * `SocialSignInService.signIn` throws
   */
  async signInWithToken(
    provider: string,
    { idToken, nonce }: { readonly idToken: string; readonly nonce: string },
    client: SessionClient,
  ): Promise<Tokens> {
    const { socialProviders, socialLimiter, providerIdentities, socialSignIn, usedIdTokens } = this.kernel;
    const protocol = socialProviders.getOpenId(provider);
    await socialLimiter.count('token', client);
    return this.#logged(provider, async () => {
      const expected = expectedClaims(idToken, nonce, protocol.provider);
      const verified = await protocol.verify(idToken, expected);
      if (!(await usedIdTokens.use(idToken, verified.exp))) throw providerRefused('the ID token was used before');
      return socialSignIn.signIn(await providerIdentities.of(protocol.provider, verified), client);
    });
  }

  /** Logs why the work was refused. */
  async #logged<T>(provider: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.kernel.socialFailures.logRefusal(provider, error);
      throw error;
    }
  }
}
