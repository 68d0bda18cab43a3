/* The typed client of the HTTP API. Adds the CSRF token and the page's language; nothing else. */
import createFetch, { type Middleware } from 'openapi-fetch';
import createQueryClient from 'openapi-react-query';
import i18next from 'i18next';
import { csrfToken, HEADER, sent } from './csrf';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];
export type Problem = Schemas['Problem'];
export type Text = Schemas['Text'];

const headers: Middleware = {
  onRequest({ request }) {
    request.headers.set('Accept-Language', i18next.language);
    const token = csrfToken();
    if (token !== null && request.method !== 'GET') request.headers.set(HEADER, token);
    return request;
  },
};

export const http = createFetch<paths>({
  baseUrl: window.location.origin,
  // Looked up at each call, so that nothing is bound to the fetch of the first moment.
  fetch: (request) => sent(request, (one) => globalThis.fetch(one)),
});
http.use(headers);

export const api = createQueryClient(http);
