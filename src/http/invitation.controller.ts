import {
  Authorized,
  Body,
  ContentType,
  CurrentUser,
  Get,
  HttpCode,
  JsonController,
  Param,
  Post,
  Req,
  Res,
  UseBefore,
} from 'routing-controllers';
import { Service } from 'typedi';
import type { InvitationService } from '../accounts/invitation.service.js';
import { Principal } from '../authentication/principal.js';
import { formBody } from './form-body.js';
import { type Before, clientOf, type HttpRequest, type HttpResponse } from './http-message.js';
import { InvitationInput } from './inputs/invitation.input.js';
import { NewPasswordInput } from './inputs/new-password.input.js';
import { noStore } from './no-store.js';
import type { PasswordByMail } from './password-by-mail.js';
import type { TokenBody } from './refresh-token-transport.js';
import { requireJson } from './require-json.js';
import { untransformed } from './untransformed.js';
import { validateInput } from './validate-input.js';

/** The routes of invitations: inviting, the link, and the first password by JSON or by our form. */
export function createInvitationController(
  prefix: string,
  invitations: InvitationService,
  byMail: PasswordByMail,
  csrf: Before,
) {
  @Service()
  @JsonController(prefix, untransformed)
  @UseBefore(noStore)
  class InvitationController {
    @Authorized()
    @Post('/registration/user-register')
    @UseBefore(requireJson)
    @HttpCode(201)
    async invite(
      @CurrentUser() principal: Principal,
      @Body({ type: InvitationInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
    ) {
      await invitations.invite(principal.claims, { ...validateInput(InvitationInput, body), ...clientOf(request) });
      return { detail: 'An invitation is on its way.' };
    }

    @Get('/registration/set-password/:key')
    async open(@Param('key') key: string, @Req() request: HttpRequest, @Res() response: HttpResponse) {
      return byMail.open(key, request, response);
    }

    @Post('/registration/set-password')
    @UseBefore(csrf, requireJson)
    async setPassword(
      @Body({ type: NewPasswordInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<TokenBody> {
      return byMail.setNew(request, response, body);
    }

    @Get('/registration/password-form')
    async form(@Req() request: HttpRequest, @Res() response: HttpResponse) {
      return byMail.showForm(request, response);
    }

    @Post('/registration/password-form')
    @UseBefore(csrf)
    @ContentType('text/html')
    async submit(@Body(formBody) body: string, @Req() request: HttpRequest, @Res() response: HttpResponse) {
      return byMail.submitForm(request, response, body);
    }
  }
  return InvitationController;
}
