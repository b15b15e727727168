import { Body, JsonController, Post, Req, Res, UseBefore } from 'routing-controllers';
import { Service } from 'typedi';
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
  @Service()
  @JsonController(prefix, untransformed)
  @UseBefore(noStore, csrf, requireJson)
  class RefreshController {
    @Post('/refresh')
    async refresh(
      @Body({ type: RefreshInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<TokenBody> {
      const presented = transport.receive(request, body);
      return transport.deliver(response, await rotation.rotateAny(presented, clientOf(request)));
    }
  }
  return RefreshController;
}
