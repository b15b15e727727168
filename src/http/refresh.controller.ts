import { Body, JsonController, OnUndefined, Post, QueryParam, Req, Res, UseBefore } from 'routing-controllers';
import { Service } from 'typedi';
import { ErrorCode, JwtAllauthError } from '../error.js';
import type { RotationService } from '../sessions/rotation.service.js';
import { type Before, clientOf, type HttpRequest, type HttpResponse } from './http-message.js';
import { RefreshInput } from './inputs/refresh.input.js';
import { noStore } from './no-store.js';
import type { RefreshTokenTransport, TokenBody } from './refresh-token-transport.js';
import { requireJson } from './require-json.js';
import { untransformed } from './untransformed.js';

/** The route that trades a refresh token for its successor. */
export function createRefreshController(
  prefix: string,
  rotation: RotationService,
  transport: RefreshTokenTransport,
  csrf: Before,
) {
  /**
   * Browsers print each failed request to the console, also the one by which a page asks whether anybody is signed in.
   */
  const receiveIfAny = (
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

  @Service()
  @JsonController(prefix, untransformed)
  @UseBefore(noStore, csrf, requireJson)
  class RefreshController {
    @Post('/refresh')
    @OnUndefined(204)
    async refresh(
      @Body({ type: RefreshInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
      @QueryParam('quiet', { required: false }) quiet?: string,
    ): Promise<TokenBody | undefined> {
      const presented = quiet === 'true' ? receiveIfAny(request, body) : transport.receive(request, body);
      if (presented === undefined) return undefined;
      return transport.deliver(response, await rotation.rotateAny(presented, clientOf(request)));
    }
  }
  return RefreshController;
}
