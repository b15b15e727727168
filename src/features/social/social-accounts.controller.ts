import { Body, CurrentUser, Delete, Get, OnUndefined, Param, Post, Req, Res, UseBefore } from 'routing-controllers';
import { SessionPrincipal } from '../../authentication/session-principal.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import { transportOf } from '../../http/auth-transport.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { clientOf, type HttpRequest, type HttpResponse } from '../../http/http-message.js';
import { requireJson } from '../../http/require-json.js';
import { validateInput } from '../../http/validate-input.js';
import type { SocialAccount } from './social-accounts.js';
import type { SocialBrowsers } from './social-browsers.js';
import { SocialConnectionInput } from './social-connection.input.js';
import type { SocialConnectionService } from './social-connection.service.js';
import { FIELDS, PROVIDER_URL, SOCIAL_ACCOUNT, SOCIAL_TAG } from './social-descriptions.js';
import type { SocialFlowService } from './social-flow.service.js';

interface SocialAccountParts {
  readonly socialFlow: SocialFlowService;
  readonly socialConnection: SocialConnectionService;
  readonly socialBrowsers: SocialBrowsers;
}

/** The routes with which a signed-in user connects accounts of providers, lists them and removes them. */
export function createSocialAccountsController(
  { socialFlow, socialConnection, socialBrowsers }: SocialAccountParts,
  { prefix, settings }: ControllerParts,
) {
  @AuthController(prefix, { isBearer: true })
  class SocialAccountsController {
    @Get('/social/accounts')
    @DescribeRoute({
      id: 'providerAccounts',
      tag: SOCIAL_TAG,
      summary: 'List your accounts of providers',
      answers: { 200: { description: 'The accounts, oldest first.', json: { items: SOCIAL_ACCOUNT } } },
    })
    async list(@CurrentUser() { claims }: SessionPrincipal): Promise<SocialAccount[]> {
      return socialConnection.listFor(claims);
    }

    @Post('/social/:provider/connect')
    @UseBefore(requireJson)
    @DescribeRoute({
      id: 'connectProvider',
      tag: SOCIAL_TAG,
      summary: 'Connect an account of a provider',
      description: 'The answer sets a cookie: open the URL in the same browser.',
      body: { input: SocialConnectionInput, fields: { returnTo: FIELDS.returnTo } },
      answers: {
        200: {
          description: 'The URL of the provider.',
          headers: { 'Set-Cookie': 'Identifies the browser.' },
          json: PROVIDER_URL,
        },
      },
      errors: [
        'provider_not_found',
        'return_url_not_allowed',
        'provider_already_connected',
        'provider_unavailable',
        'provider_refused',
      ],
      isFresh: true,
      isLimited: true,
    })
    async connect(
      @CurrentUser() { claims }: SessionPrincipal,
      @Param('provider') provider: string,
      @Body({ type: SocialConnectionInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<{ readonly url: string }> {
      const input = validateInput(SocialConnectionInput, body);
      const returnTo = await socialFlow.check(provider, input.returnTo, clientOf(request));
      const browser = socialBrowsers.mark(request, response);
      const transport = transportOf(request, settings);
      return { url: await socialFlow.beginConnection(claims, { provider, returnTo, transport, browser }) };
    }

    @Delete('/social/accounts/:id')
    @OnUndefined(204)
    @DescribeRoute({
      id: 'disconnectProvider',
      tag: SOCIAL_TAG,
      summary: 'Disconnect an account of a provider',
      answers: { 204: { description: 'It can no longer be used to sign in.' } },
      errors: ['provider_account_not_found', 'last_sign_in_method'],
      isFresh: true,
    })
    async disconnect(@CurrentUser() { claims }: SessionPrincipal, @Param('id') id: string): Promise<void> {
      await socialConnection.remove(claims, id);
    }
  }
  return SocialAccountsController;
}
