import { Body, Param, Post, Req, Res } from 'routing-controllers';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import type { HttpRequest, HttpResponse } from '../../http/http-message.js';
import type { TokenBody } from '../../http/refresh-token-transport.js';
import { tokenAnswer } from '../../http/token-answers.js';
import { validateInput } from '../../http/validate-input.js';
import { FIELDS, SOCIAL_TAG } from './social-descriptions.js';
import { SocialExchangeInput } from './social-exchange.input.js';
import type { SocialFlowService } from './social-flow.service.js';
import { SocialTokenInput } from './social-token.input.js';

const { code, verifier, idToken, nonce } = FIELDS;

/** The routes that answer with tokens, for native apps and for apps that keep tokens themselves. */
export function createSocialTokenController(
  { socialFlow }: { readonly socialFlow: SocialFlowService },
  { prefix, settings, transport, originGuard, secondFactors }: ControllerParts,
) {
  @AuthController(prefix, { originGuard, isJsonOnly: true })
  class SocialTokenController {
    @Post('/social/exchange')
    @DescribeRoute({
      id: 'exchangeProviderCode',
      tag: SOCIAL_TAG,
      summary: 'Exchange the code of a sign-in for tokens',
      body: { input: SocialExchangeInput, fields: { code, verifier } },
      answers: { 200: tokenAnswer('Signed in.', settings) },
      errors: ['token_not_valid'],
      isLimited: true,
      isIssuingTokens: true,
      secondFactors,
    })
    async exchange(
      @Body({ type: SocialExchangeInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<TokenBody> {
      const input = validateInput(SocialExchangeInput, body);
      const tokens = await socialFlow.exchange(input, transport.clientOf(request));
      return transport.signIn(request, response, tokens);
    }

    @Post('/social/:provider/token')
    @DescribeRoute({
      id: 'signInWithProviderToken',
      tag: SOCIAL_TAG,
      summary: 'Sign in with an ID token of the provider',
      description: 'For native apps, which get the token from an SDK of the provider.',
      body: { input: SocialTokenInput, fields: { idToken, nonce } },
      answers: { 200: tokenAnswer('Signed in.', settings) },
      errors: [
        'provider_not_found',
        'provider_refused',
        'provider_unavailable',
        'provider_email_not_verified',
        'sign_up_not_allowed',
        'email_already_registered',
        'email_not_verified',
        'no_active_account',
      ],
      isLimited: true,
      isIssuingTokens: true,
      secondFactors,
    })
    async signIn(
      @Param('provider') provider: string,
      @Body({ type: SocialTokenInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<TokenBody> {
      const input = validateInput(SocialTokenInput, body);
      const tokens = await socialFlow.signInWithToken(provider, input, transport.clientOf(request));
      return transport.signIn(request, response, tokens);
    }
  }
  return SocialTokenController;
}
