import type { JsonSchema } from '../http/json-schema.js';

/** General information about an API. */
export interface OpenApiInfo {
  readonly title: string;
  readonly version: string;
  readonly description?: string;
}

/** A server of an API. */
export interface OpenApiServer {
  readonly url: string;
  readonly description?: string;
}

/** Bodies by their media type. */
export type OpenApiContent = Readonly<Record<string, { readonly schema?: JsonSchema }>>;

/** A parameter of a path, a query or a header. */
export interface OpenApiParameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: JsonSchema;
}

/** A request body. */
export interface OpenApiRequestBody {
  readonly required?: boolean;
  readonly description?: string;
  readonly content: OpenApiContent;
}

/** A response. */
export interface OpenApiResponse {
  readonly description: string;
  readonly headers?: Readonly<Record<string, { readonly description?: string; readonly schema: JsonSchema }>>;
  readonly content?: OpenApiContent;
}

/** One method of one path. */
export interface OpenApiOperation {
  readonly operationId: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly OpenApiParameter[];
  readonly requestBody?: OpenApiRequestBody;
  readonly responses: Readonly<Record<string, OpenApiResponse>>;
  /** Alternatives, of which one must be satisfied. All schemes of one alternative are needed. */
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
}

/** A description of an HTTP API (OpenAPI Specification 3.1), to be sent as JSON. */
export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: OpenApiInfo;
  readonly servers?: readonly OpenApiServer[];
  /** By path, then by method in lower case. */
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly securitySchemes: Readonly<Record<string, Readonly<Record<string, string>>>>;
  };
}
