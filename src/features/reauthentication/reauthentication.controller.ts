import { Body, CurrentUser, Post, Req } from 'routing-controllers';
import { SessionPrincipal } from '../../authentication/session-principal.js';
import { ErrorCode } from '../../error.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import type { HttpRequest } from '../../http/http-message.js';
import { accessTokenSchema } from '../../http/token-answers.js';
import type { ReauthenticationService } from './reauthentication.service.js';
import type { ReauthenticationBody } from './reauthentication-body.js';

/** The route with which a signed-in user authenticates again. */
export function createReauthenticationController(
  { reauthentication }: { readonly reauthentication: ReauthenticationService },
  body: ReauthenticationBody,
  { prefix, transport, settings }: ControllerParts,
) {
  @AuthController(prefix, { name: 'reauthentication', isBearer: true, isJsonOnly: true })
  class ReauthenticationController {
    @Post('/reauthenticate')
    @DescribeRoute({
      id: 'reauthenticate',
      tag: 'Sign-in',
      summary: 'Authenticate again, in the same session',
      description: 'Needs exactly one proof. The refresh token stays valid.',
      get body() {
        return { json: body.schema };
      },
      answers: {
        200: {
          description: 'A new access token of the same session.',
          json: accessTokenSchema(settings),
        },
      },
      errors: [
        ErrorCode.IncorrectCredentials,
        ErrorCode.SecondFactorRequired,
        ErrorCode.SessionExpired,
        'mail_code_not_available',
      ],
      isLimited: true,
      isIssuingTokens: true,
    })
    async authenticate(
      @CurrentUser() principal: SessionPrincipal,
      @Body({ required: false }) given: unknown,
      @Req() request: HttpRequest,
    ) {
      const proof = body.read(given);
      const client = transport.boundClientOf(request);
      return transport.accessOf(await reauthentication.authenticate(principal.claims, proof, client));
    }
  }
  return ReauthenticationController;
}
