import { Body, CurrentUser, Post, Req, Res, UseBefore } from 'routing-controllers';
import { SessionPrincipal } from '../../authentication/session-principal.js';
import { authError } from '../../error-table.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { clientOf, type HttpRequest, type HttpResponse } from '../../http/http-message.js';
import type { TokenBody } from '../../http/refresh-token-transport.js';
import { tokenAnswer } from '../../http/token-answers.js';
import { validateInput } from '../../http/validate-input.js';
import { TotpConfirmationInput } from './totp-confirmation.input.js';
import { FIELDS, MFA_TAG, TOTP_CONFIRMED, TOTP_SETUP } from './totp-descriptions.js';
import { TotpSetupInput } from './totp-setup.input.js';
import type { TotpSetup, TotpSetupService } from './totp-setup.service.js';

const { challenge, code, revokeOthers } = FIELDS;

/** Recovery codes, and the tokens if the request answered a challenge. */
type Confirmed = { readonly recoveryCodes: readonly string[] } & Partial<TokenBody>;

/** The routes that set up an authenticator app, for a signed-in user or at a sign-in that requires it. */
export function createTotpSetupController(
  totpSetup: TotpSetupService,
  { prefix, settings, transport, originGuard }: ControllerParts,
) {
  @AuthController(prefix, { isJsonOnly: true })
  class TotpSetupController {
    @Post('/mfa/totp/setup')
    @DescribeRoute({
      id: 'setUpTotp',
      tag: MFA_TAG,
      summary: 'Get a secret for an authenticator app',
      description: 'Needs an access token, or the challenge of a sign-in with the method `totp_setup`.',
      body: { input: TotpSetupInput, fields: { challenge } },
      answers: { 200: { description: 'A new secret. It must be confirmed within an hour.', json: TOTP_SETUP } },
      errors: ['challenge_not_valid', 'totp_already_enabled'],
      isFresh: true,
    })
    async setUp(
      @CurrentUser() principal: SessionPrincipal | undefined,
      @Body({ type: TotpSetupInput, required: false }) body: unknown,
    ): Promise<TotpSetup> {
      const input = validateInput(TotpSetupInput, body);
      if (input.challenge !== undefined) return totpSetup.startAtSignIn(input.challenge);
      if (!principal) throw authError('not_authenticated');
      return totpSetup.start(principal.claims);
    }

    @Post('/mfa/totp/confirm')
    @UseBefore(originGuard)
    @DescribeRoute({
      id: 'confirmTotp',
      tag: MFA_TAG,
      summary: 'Confirm the secret with a first code',
      description: 'With an access token, or with the challenge of a sign-in, which is then completed.',
      body: { input: TotpConfirmationInput, fields: { challenge, code, revokeOthers } },
      answers: {
        200: {
          ...tokenAnswer('The recovery codes. With a challenge also the tokens.', settings),
          json: TOTP_CONFIRMED,
        },
      },
      errors: ['challenge_not_valid', 'code_not_valid', 'totp_already_enabled'],
      isFresh: true,
      isLimited: true,
      isIssuingTokens: true,
    })
    async confirm(
      @CurrentUser() principal: SessionPrincipal | undefined,
      @Body({ type: TotpConfirmationInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<Confirmed> {
      const input = validateInput(TotpConfirmationInput, body);
      const confirmation = { code: input.code, revokeOthers: input.revokeOthers ?? true };
      if (input.challenge !== undefined) {
        const client = transport.clientOf(request);
        const { tokens, recoveryCodes } = await totpSetup.confirmAtSignIn(input.challenge, confirmation, client);
        return { ...(await transport.signIn(request, response, tokens)), recoveryCodes };
      }
      if (!principal) throw authError('not_authenticated');
      return { recoveryCodes: await totpSetup.confirm(principal.claims, confirmation, clientOf(request)) };
    }
  }
  return TotpSetupController;
}
