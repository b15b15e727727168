import { Body, HttpCode, Post, Req, Res, UseBefore } from 'routing-controllers';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { EmailInput } from '../../http/email.input.js';
import { clientOf, type HttpRequest, type HttpResponse } from '../../http/http-message.js';
import { MAIL_TAG } from '../../http/link-descriptions.js';
import type { TokenBody } from '../../http/refresh-token-transport.js';
import { tokenAnswer } from '../../http/token-answers.js';
import { validateInput } from '../../http/validate-input.js';
import type { MagicLinkService } from './magic-link.service.js';
import { MagicLinkCodeInput } from './magic-link-code.input.js';
import { FIELDS, REQUESTED } from './magic-link-descriptions.js';

/** The routes that request a mail, and sign in with its code. */
export function createMagicLinkController(
  magicLinks: MagicLinkService,
  { prefix, settings, transport, originGuard, secondFactors }: ControllerParts,
) {
  @AuthController(prefix, { isJsonOnly: true })
  class MagicLinkController {
    @Post('/magic-link')
    @HttpCode(202)
    @DescribeRoute({
      id: 'magicLink',
      tag: MAIL_TAG,
      summary: 'Request a mail with a link and a code to sign in',
      body: EmailInput,
      answers: { 202: { description: 'The same answer for every address.', json: REQUESTED } },
      isLimited: true,
    })
    async request(@Body({ type: EmailInput, required: false }) body: unknown, @Req() request: HttpRequest) {
      return { request: await magicLinks.request(validateInput(EmailInput, body).email, clientOf(request)) };
    }

    @Post('/magic-link/verify')
    @UseBefore(originGuard)
    @DescribeRoute({
      id: 'signInByCode',
      tag: MAIL_TAG,
      summary: 'Sign in with the code of a mail',
      body: { input: MagicLinkCodeInput, fields: FIELDS },
      answers: { 200: tokenAnswer('Signed in.', settings) },
      errors: ['mailed_code_not_valid'],
      isIssuingTokens: true,
      secondFactors,
    })
    async verify(
      @Body({ type: MagicLinkCodeInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<TokenBody> {
      const answer = validateInput(MagicLinkCodeInput, body);
      const tokens = await magicLinks.signInByCode(answer, transport.clientOf(request));
      return transport.signIn(request, response, tokens);
    }
  }
  return MagicLinkController;
}
