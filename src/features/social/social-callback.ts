import type { ControllerParts } from '../../http/controller-parts.js';
import { clientOf, type HttpResponse } from '../../http/http-message.js';
import { redirect } from '../../http/pages/page-response.js';
import { toProblem } from '../../http/problem-details.js';
import { withFragment, withRefusal } from '../../http/redirect-urls.js';
import type { RefreshTokenTransport } from '../../http/refresh-token-transport.js';
import type { AuthKernel } from '../../kernel.js';
import { isChallenge } from '../../sign-in/challenge.js';
import { answerParameters, formParameters, queryOf, type RequestWithUrl } from './provider-parameters.js';
import type { SocialBrowsers } from './social-browsers.js';
import type { SocialFailures } from './social-failures.js';
import type { SocialFlowService } from './social-flow.service.js';
import type { PendingFlow } from './social-states.js';

/** The name of the page for an answer that belongs to no sign-in of this browser. */
export const FAILED_PAGE = 'sign-in-failed';

/** The pages of this feature. */
export const SOCIAL_PAGES = {
  [FAILED_PAGE]: `<h1>This sign-in cannot be completed</h1>
<p>It took too long, it was completed before, or it began in another browser.
Nothing was changed. Go back to <%= it.app %> and sign in again.</p>`,
} as const;

/** The HTTP steps of a provider's answer. Every error after the check of `state` leads back to the app. */
export class SocialCallback {
  readonly #transport: RefreshTokenTransport;

  constructor(
    private readonly kernel: Pick<AuthKernel, 'telemetry'> & {
      readonly socialFailures: SocialFailures;
      readonly socialFlow: SocialFlowService;
      readonly socialBrowsers: SocialBrowsers;
      readonly callbackUrl: (provider: string) => string;
    },
    private readonly http: ControllerParts,
  ) {
    this.#transport = http.transport;
  }

  /** Begins a sign-in: redirects to the provider. @throws what `SocialFlowService.check` throws */
  async start(
    request: RequestWithUrl,
    response: HttpResponse,
    flow: Pick<PendingFlow, 'provider' | 'transport' | 'exchangeChallenge'>,
  ): Promise<HttpResponse> {
    const { socialFlow, socialBrowsers } = this.kernel;
    const { provider } = flow;
    const [returnTo, ...others] = queryOf(request).getAll('returnTo');
    const asked = others.length > 0 ? null : returnTo; // null is refused
    const url = await socialFlow.check(provider, asked, clientOf(request));
    const browser = socialBrowsers.mark(request, response);
    try {
      const location = await socialFlow.begin({ ...flow, returnTo: url, browser });
      // With an empty fragment. Otherwise browsers add the fragment of this request, which may be a code for tokens.
      return redirect(response, `${location}#`);
    } catch (error) {
      return redirect(response, this.#failure({ provider, returnTo: url }, error, request));
    }
  }

  /** Moves an answer that came as a form into the query: the browser does not send its cookie with a foreign form. */
  receiveForm(response: HttpResponse, provider: string, form: Partial<Record<string, string>>): HttpResponse {
    if (!this.kernel.socialFlow.hasProvider(provider)) return this.http.pages.send(response, 400, FAILED_PAGE);
    return redirect(response, `${this.kernel.callbackUrl(provider)}?${formParameters(form)}`);
  }

  /** Answers the provider's answer: redirects to the app, or shows that it belongs to no sign-in of this browser. */
  async receive(request: RequestWithUrl, response: HttpResponse, provider: string): Promise<HttpResponse> {
    const { socialFlow, socialBrowsers } = this.kernel;
    const answer = answerParameters(queryOf(request));
    const asking = { browsers: socialBrowsers.of(request), client: clientOf(request) };
    const flow = await socialFlow.take(provider, answer, asking);
    if (!flow) return this.http.pages.send(response, 400, FAILED_PAGE);
    try {
      return redirect(response, await this.#complete(flow, answer, request, response));
    } catch (error) {
      return redirect(response, this.#failure(flow, error, request));
    }
  }

  async #complete(
    flow: PendingFlow,
    answer: URLSearchParams,
    request: RequestWithUrl,
    response: HttpResponse,
  ): Promise<string> {
    const client = flow.transport === 'cookie' ? this.#transport.pageClientOf(request) : clientOf(request);
    const { tokens, code } = await this.kernel.socialFlow.complete(flow, answer, client);
    if (tokens) await this.#transport.signInByCookie(request, response, tokens);
    if (code !== undefined) return withFragment(flow.returnTo, { code });
    // A page of another origin cannot know otherwise that its browser has refused the cookie.
    const isElsewhere = new URL(flow.returnTo).origin !== new URL(this.kernel.callbackUrl(flow.provider)).origin;
    return tokens && isElsewhere ? withFragment(flow.returnTo, { status: '200' }) : flow.returnTo;
  }

  /** The URL of the app that says why a sign-in failed. Logs what the app's user cannot see. */
  #failure(
    { provider, returnTo }: Pick<PendingFlow, 'provider' | 'returnTo'>,
    error: unknown,
    request: RequestWithUrl,
  ) {
    if (isChallenge(error)) return withRefusal(returnTo, error);
    const problem = toProblem(error);
    const { socialFailures, telemetry } = this.kernel;
    socialFailures.log(provider, error, request);
    if (problem.httpCode === 401 || problem.httpCode === 403) telemetry.countRefusal(problem);
    return withRefusal(returnTo, problem);
  }
}
