import { Body, OnUndefined, Post, QueryParam, Req, Res } from 'routing-controllers';
import { ErrorCode, JwtAllauthError } from '../../error.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import type { HttpRequest, HttpResponse } from '../../http/http-message.js';
import { RefreshInput } from '../../http/refresh.input.js';
import type { RefreshTokenTransport, TokenBody } from '../../http/refresh-token-transport.js';
import type { RouteAnswer } from '../../http/route-description.js';
import { refreshCredential, tokenAnswer } from '../../http/token-answers.js';
import type { RotationService } from '../../sessions/rotation.service.js';

/** The route that exchanges a refresh token for its successor. */
export function createRefreshController(
  { rotation }: { readonly rotation: RotationService },
  { prefix, settings, transport, originGuard }: ControllerParts,
) {
  /**
   * Returns undefined if there is no refresh token. Browsers log each failed request to the console, even the one with
   * which a page asks whether the user is signed in.
   */
  const receiveIfPresent = (
    request: HttpRequest,
    body: unknown,
  ): ReturnType<RefreshTokenTransport['receive']> | undefined => {
    try {
      return transport.receive(request, body);
    } catch (error) {
      if (error instanceof JwtAllauthError && error.code === ErrorCode.RefreshTokenMissing) return undefined;
      throw error;
    }
  };

  const emptyAnswers: Record<number, RouteAnswer> = settings.refreshTokenAsCookie
    ? { 204: { description: 'The request has no refresh token, and the query has `quiet=true`.' } }
    : {};

  @AuthController(prefix, { originGuard, isJsonOnly: true })
  class RefreshController {
    @Post('/refresh')
    @OnUndefined(204)
    @DescribeRoute({
      id: 'refresh',
      tag: 'Sign-in',
      summary: 'Exchange the refresh token for its successor',
      description:
        'A retry within the grace period gets the same successor. Any other use of an old token revokes the session.',
      ...refreshCredential(settings),
      ...(settings.refreshTokenAsCookie && {
        query: { quiet: 'With `true`, a request without a refresh token is answered with 204.' },
      }),
      answers: {
        200: tokenAnswer('A new access token and a new refresh token.', settings),
        ...emptyAnswers,
      },
      errors: [
        ErrorCode.RefreshTokenMissing,
        ErrorCode.TokenNotValid,
        ErrorCode.RefreshTokenReused,
        ErrorCode.SessionExpired,
      ],
      isIssuingTokens: true,
    })
    async refresh(
      @Body({ type: RefreshInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
      @QueryParam('quiet', { required: false }) quiet?: string,
    ): Promise<TokenBody | undefined> {
      const presented = quiet === 'true' ? receiveIfPresent(request, body) : transport.receive(request, body);
      if (presented === undefined) return undefined;
      const client = transport.boundClientOf(request);
      return transport.deliver(request, response, await rotation.rotateAny(presented, client));
    }
  }
  return RefreshController;
}
