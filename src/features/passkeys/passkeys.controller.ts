import type { PublicKeyCredentialCreationOptionsJSON } from '@simplewebauthn/server';
import {
  Body,
  CurrentUser,
  Delete,
  Get,
  HttpCode,
  OnUndefined,
  Param,
  Patch,
  Post,
  Req,
  UseBefore,
} from 'routing-controllers';
import { SessionPrincipal } from '../../authentication/session-principal.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { clientOf, type HttpRequest } from '../../http/http-message.js';
import { requireJson } from '../../http/require-json.js';
import { validateInput } from '../../http/validate-input.js';
import { readCredential } from './passkey-body.js';
import { CREATION_OPTIONS, FIELDS, NEW_PASSKEY, PASSKEY, PASSKEY_TAG } from './passkey-descriptions.js';
import { PasskeyNameInput } from './passkey-name.input.js';
import { PasskeyRegistrationInput } from './passkey-registration.input.js';
import type { PasskeyRegistrationService } from './passkey-registration.service.js';
import type { Passkey } from './passkey-store.js';
import type { PasskeysService } from './passkeys.service.js';

/** The routes with which a signed-in user adds passkeys, lists, renames and removes them. */
export function createPasskeysController(
  passkeys: PasskeysService,
  passkeyRegistration: PasskeyRegistrationService,
  prefix: string,
) {
  @AuthController(prefix, { isBearer: true })
  class PasskeysController {
    @Post('/passkeys/registration/options')
    @DescribeRoute({
      id: 'passkeyRegistrationOptions',
      tag: PASSKEY_TAG,
      summary: 'Get the options for a new passkey',
      answers: {
        200: {
          description: 'The JSON for `PublicKeyCredential.parseCreationOptionsFromJSON`.',
          json: CREATION_OPTIONS,
        },
      },
      errors: ['too_many_passkeys'],
      isFresh: true,
    })
    async options(@CurrentUser() { claims }: SessionPrincipal): Promise<PublicKeyCredentialCreationOptionsJSON> {
      return passkeyRegistration.options(claims);
    }

    @Post('/passkeys/registration')
    @HttpCode(201)
    @UseBefore(requireJson)
    @DescribeRoute({
      id: 'addPasskey',
      tag: PASSKEY_TAG,
      summary: 'Add a passkey',
      body: { json: NEW_PASSKEY },
      answers: { 201: { description: 'The passkey.', json: PASSKEY } },
      errors: ['passkey_not_valid', 'passkey_already_registered', 'too_many_passkeys'],
    })
    async add(
      @CurrentUser() { claims }: SessionPrincipal,
      @Body({ required: false }) body: unknown,
      @Req() request: HttpRequest,
    ): Promise<Passkey> {
      const { input, credential } = readCredential(PasskeyRegistrationInput, body);
      return passkeyRegistration.register(claims, { ...input, credential }, clientOf(request));
    }

    @Get('/passkeys')
    @DescribeRoute({
      id: 'passkeys',
      tag: PASSKEY_TAG,
      summary: 'List your passkeys',
      answers: { 200: { description: 'The passkeys, oldest first.', json: { items: PASSKEY } } },
    })
    async list(@CurrentUser() { claims }: SessionPrincipal): Promise<Passkey[]> {
      return passkeys.listFor(claims);
    }

    @Patch('/passkeys/:id')
    @UseBefore(requireJson)
    @DescribeRoute({
      id: 'renamePasskey',
      tag: PASSKEY_TAG,
      summary: 'Rename a passkey',
      body: { input: PasskeyNameInput, fields: { name: FIELDS.name } },
      answers: { 200: { description: 'The passkey.', json: PASSKEY } },
      errors: ['passkey_not_found'],
    })
    async rename(
      @CurrentUser() { claims }: SessionPrincipal,
      @Param('id') id: string,
      @Body({ type: PasskeyNameInput, required: false }) body: unknown,
    ): Promise<Passkey> {
      return passkeys.rename(claims, id, validateInput(PasskeyNameInput, body).name);
    }

    @Delete('/passkeys/:id')
    @OnUndefined(204)
    @DescribeRoute({
      id: 'removePasskey',
      tag: PASSKEY_TAG,
      summary: 'Remove a passkey',
      answers: { 204: { description: 'It can no longer be used to sign in.' } },
      errors: ['passkey_not_found', 'last_sign_in_method', 'passkey_required_by_policy'],
      isFresh: true,
    })
    async remove(@CurrentUser() { claims }: SessionPrincipal, @Param('id') id: string): Promise<void> {
      await passkeys.remove(claims, id);
    }
  }
  return PasskeysController;
}
