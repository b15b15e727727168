import type { JsonSchema, NamedSchema } from './json-schema.js';

/**
 * What documents say of a route. What its decorators say already is not repeated: whether it needs an access token,
 * reads a body, refuses foreign origins, and answers with pages.
 */
export interface RouteDescription {
  /** The name of the method of `AuthClient` that requests it, where there is one. */
  readonly id: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** The cookie that it needs. */
  readonly cookie?: CredentialCookie;
  /** Optional parameters of its query, with what they are for. */
  readonly query?: Readonly<Record<string, string>>;
  /** The body that it needs. */
  readonly body?: InputClass | RefinedInput | RouteForm;
  /** Whether it needs the cookie or the body, and not both. */
  readonly isCookieOrBody?: boolean;
  /** The answers of success, by status. */
  readonly answers: Readonly<Record<number, RouteAnswer>>;
  /** Codes of errors that are special to it. Their statuses come from the error tables. */
  readonly errors?: readonly string[];
  /** Whether it answers 429 to too many requests. */
  readonly isLimited?: boolean;
  /** Whether it makes tokens, of the app's own class. */
  readonly isMinting?: boolean;
  /** Whether it can neither fail nor be kept from answering. */
  readonly isStatic?: boolean;
}

/** The class of a JSON body. Its schema comes from its rules, and is named `Auth` and the name of the class. */
export type InputClass = new () => object;

/** An input with what its rules do not say. */
export interface RefinedInput {
  readonly input: InputClass;
  /** The name of the schema without `Auth`. Default: that of the class. */
  readonly name?: string;
  /** Schemas of fields, in place of those that the rules come to. */
  readonly fields?: Readonly<Record<string, JsonSchema>>;
  /** Fields that are optional for the rules and necessary for this route. */
  readonly required?: readonly string[];
}

/** The fields of a form that a browser submits. */
export interface RouteForm {
  readonly form: JsonSchema;
}

/** An answer of success: empty, JSON or a page. */
export interface RouteAnswer {
  readonly description: string;
  /** Headers by name, with what they are for. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The schema of its body; `{ items }` for an array. */
  readonly json?: NamedSchema | { readonly items: NamedSchema };
  /** Whether the body is a page for people. */
  readonly isPage?: boolean;
  /** Whether the request chooses by `Auth-Transport` how its refresh token travels. */
  readonly isChosenByRequest?: boolean;
}

/** A cookie that shows who sends a request. */
export interface CredentialCookie {
  /** The name of the security scheme. */
  readonly scheme: string;
  /** The name of the cookie. */
  readonly name: string;
  readonly description: string;
}
