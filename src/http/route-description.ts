import type { SecondFactors } from '../sign-in/second-factors.js';
import type { JsonSchema, NamedSchema } from './json-schema.js';

/**
 * The OpenAPI description of a route. What its decorators already say is not repeated: whether it needs an access
 * token, reads a body, refuses foreign origins, or answers with HTML pages.
 */
export interface RouteDescription {
  /** The operation id: the name of the method of `AuthClient` that sends the request, if there is one. */
  readonly id: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** The cookie that the route needs. */
  readonly cookie?: CredentialCookie;
  /** Optional query parameters, with their descriptions. */
  readonly query?: Readonly<Record<string, string>>;
  /** The body that the route needs. */
  readonly body?: InputClass | RefinedInput | RouteForm | RouteJson;
  /** Whether either the cookie or the body is needed, and not both. */
  readonly isCookieOrBody?: boolean;
  /** The successful answers, by status. */
  readonly answers: Readonly<Record<number, RouteAnswer>>;
  /** Error codes specific to this route. Their statuses come from the error tables. */
  readonly errors?: readonly string[];
  /** Whether the route needs a fresh session (`kernel.freshness`). */
  readonly isFresh?: boolean;
  /** Whether the route is rate limited (429). */
  readonly isLimited?: boolean;
  /** Whether the route issues tokens, so that errors of the app's token class are possible. */
  readonly isIssuingTokens?: boolean;
  /**
   * For a route that signs users in: the second factors of the app. If there are any, it can answer with a challenge
   * (401 `second_factor_required`).
   */
  readonly secondFactors?: Pick<SecondFactors, 'isInUse'>;
  /** Whether the route cannot fail: it needs no database and has no errors. */
  readonly isStatic?: boolean;
}

/**
 * The class of a JSON body. Its schema is derived from its validation rules, and named `Auth` followed by the name of
 * the class.
 */
export type InputClass = new () => object;

/** An input class with details that its validation rules do not say. */
export interface RefinedInput {
  readonly input: InputClass;
  /** The name of the schema without `Auth`. Default: the name of the class. */
  readonly name?: string;
  /** Schemas of fields. They replace those derived from the rules, or are of fields that the class does not have. */
  readonly fields?: Readonly<Record<string, JsonSchema>>;
  /** Fields of the class that this route does not accept. */
  readonly without?: readonly string[];
  /** Fields that the rules make optional, but that this route requires. */
  readonly required?: readonly string[];
}

/** The fields of an HTML form. */
export interface RouteForm {
  readonly form: JsonSchema;
}

/** A JSON body without an input class. */
export interface RouteJson {
  readonly json: NamedSchema;
}

/** A successful answer: empty, JSON or an HTML page. */
export interface RouteAnswer {
  readonly description: string;
  /** Headers by name, with their descriptions. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The schema of its body; `{ items }` for an array. */
  readonly json?: NamedSchema | { readonly items: NamedSchema };
  /** Whether the body is an HTML page. */
  readonly isPage?: boolean;
  /** Whether the request can choose with `Auth-Transport` how its refresh token travels. */
  readonly isChosenByRequest?: boolean;
}

/** A cookie that authenticates a request. */
export interface CredentialCookie {
  /** The name of the security scheme. */
  readonly scheme: string;
  /** The name of the cookie. */
  readonly name: string;
  readonly description: string;
}
