import { Body, ContentType, Get, Param, Post, Req, Res, UseBefore } from 'routing-controllers';
import { AuthController } from '../../http/auth-controller.decorator.js';
import { transportOf } from '../../http/auth-transport.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { acceptParsedForm, formBody, parseForm } from '../../http/form-body.js';
import type { HttpResponse } from '../../http/http-message.js';
import { errorsAsPages } from '../../http/pages/errors-as-pages.js';
import { exchangeChallengeOf, queryOf, type RequestWithUrl } from './provider-parameters.js';
import type { SocialCallback } from './social-callback.js';
import { ANSWER_FORM, ANSWER_QUERY, BROWSER, PROVIDER, SOCIAL_TAG, START_QUERY } from './social-descriptions.js';
import type { SocialFlowService } from './social-flow.service.js';

const BACK =
  'Redirects to the app. After an error, its code is in the query (`error`). A challenge is in the fragment.';

/** The routes between the app and a provider, for browsers. */
export function createSocialFlowController(
  { socialFlow, socialCallback }: { readonly socialFlow: SocialFlowService; readonly socialCallback: SocialCallback },
  { prefix, settings }: ControllerParts,
) {
  @AuthController(prefix)
  class SocialFlowController {
    @Get('/social/providers')
    @DescribeRoute({
      id: 'providers',
      tag: SOCIAL_TAG,
      summary: 'List the providers',
      answers: { 200: { description: 'The providers, for the buttons of a page.', json: { items: PROVIDER } } },
      isStatic: true,
    })
    list() {
      return socialFlow.providers;
    }

    @Get('/social/:provider')
    @DescribeRoute({
      id: 'startProvider',
      tag: SOCIAL_TAG,
      summary: 'Begin a sign-in with a provider',
      description: 'Open it in a browser.',
      query: START_QUERY,
      answers: {
        303: {
          description: 'Redirects to the provider, or to the app if the provider is not available.',
          headers: { Location: 'The provider.', 'Set-Cookie': 'Identifies the browser.' },
        },
      },
      errors: ['provider_not_found', 'return_url_not_allowed', 'bad_request'],
      isLimited: true,
    })
    async start(@Param('provider') provider: string, @Req() request: RequestWithUrl, @Res() response: HttpResponse) {
      const query = queryOf(request);
      const asked = query.get('transport');
      const headers = asked === null ? request.headers : { 'auth-transport': asked };
      const transport = transportOf({ ...request, headers }, settings);
      const exchangeChallenge = exchangeChallengeOf(query);
      return socialCallback.start(request, response, { provider, transport, exchangeChallenge });
    }

    @Get('/social/:provider/callback')
    @UseBefore(errorsAsPages)
    @DescribeRoute({
      id: 'finishProvider',
      tag: SOCIAL_TAG,
      summary: "Receive a provider's answer",
      description: 'The provider redirects the browser to it.',
      query: ANSWER_QUERY,
      cookie: BROWSER,
      answers: {
        303: {
          description: BACK,
          headers: {
            Location: 'The app. If the tokens travel in bodies, with `#code=…`.',
            'Set-Cookie': 'The tokens.',
          },
        },
      },
      errors: ['bad_request'],
      isLimited: true,
      isIssuingTokens: true,
    })
    async callback(@Param('provider') provider: string, @Req() request: RequestWithUrl, @Res() response: HttpResponse) {
      return socialCallback.receive(request, response, provider);
    }

    @Post('/social/:provider/callback')
    @UseBefore(errorsAsPages, acceptParsedForm)
    @ContentType('text/html')
    @DescribeRoute({
      id: 'receiveProviderForm',
      tag: SOCIAL_TAG,
      summary: "Receive a provider's answer that comes as a form",
      description:
        'Moves the answer into the query of the callback, because the browser sends no cookie with the form.',
      body: { form: ANSWER_FORM },
      answers: { 303: { description: 'Redirects to the callback.', headers: { Location: 'The callback.' } } },
      errors: ['bad_request'],
    })
    receiveForm(@Param('provider') provider: string, @Body(formBody) body: string, @Res() response: HttpResponse) {
      return socialCallback.receiveForm(response, provider, parseForm(body));
    }
  }
  return SocialFlowController;
}
