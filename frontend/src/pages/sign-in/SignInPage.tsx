/* Signs in with the one-time link (its secret is behind the #, so no log ever sees it) or with an API token. */
import { Button, PasswordInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState, type FormEvent } from 'react';
import { Trans, useTranslation } from 'react-i18next';
import { useNavigate, useSearchParams } from 'react-router';
import type { Schemas } from '../../api/client';
import { sayProblem } from '../../api/problems';
import { signIn, useMe } from '../../api/session';
import { Loading, ProblemNote } from '../../components/Answer';
import { LanguageSwitch, ThemeSwitch } from '../../layout/Switches';

export function SignInPage() {
  const { t, i18n } = useTranslation();
  const client = useQueryClient();
  const go = useNavigate();
  const [query] = useSearchParams();
  const [secret, setSecret] = useState(hashed);
  // Whoever comes with a link is about to sign in: there is nobody to ask for yet.
  const me = useMe(secret === '');
  const [busy, setBusy] = useState(secret !== '');
  const [error, setError] = useState<unknown>(null);
  const tried = useRef('');
  const next = safeNext(query.get('next'));

  useEffect(() => {
    document.title = `${t('ui.sign_in.title')} · Awase`;
  }, [t, i18n.language]);

  const enter = async (body: Schemas['SignIn']) => {
    setBusy(true);
    setError(null);
    try {
      await signIn(client, body);
      await go(next, { replace: true });
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  useEffect(() => {
    // A link opened where this page is shown already changes nothing but what is behind the #.
    const look = () => {
      if (hashed()) setSecret(hashed());
    };
    window.addEventListener('hashchange', look);
    return () => window.removeEventListener('hashchange', look);
  }, []);
  useEffect(() => {
    if (!secret || tried.current === secret) return;
    tried.current = secret;
    window.history.replaceState(null, '', window.location.pathname + window.location.search);
    void enter({ link_secret: secret });
  });
  useEffect(() => {
    if (!secret && me.data) void go(next, { replace: true });
  }, [secret, me.data, go, next]);

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const token = new FormData(event.currentTarget).get('token');
    if (typeof token === 'string') void enter(bodyOf(token.trim()));
  };

  return (
    <main className="aw-alone">
      <div className="aw-card-head">
        <span className="aw-brand">
          <img src="/mark.svg" alt="" width={34} height={34} />
          Awase
        </span>
        <span className="aw-actions">
          <LanguageSwitch />
          <ThemeSwitch />
        </span>
      </div>
      <section className="aw-panel aw-stack">
        <h1>{t('ui.sign_in.title')}</h1>
        <p className="aw-soft">{t('ui.sign_in.what')}</p>
        {error ? (
          <ProblemNote error={error} also={secret ? <p>{t('ui.sign_in.link_spent')}</p> : null} />
        ) : null}
        {busy && !error ? (
          <Loading />
        ) : (
          <form onSubmit={submit} className="aw-stack">
            <PasswordInput
              name="token"
              label={t('ui.sign_in.token')}
              description={t('ui.sign_in.token_help')}
              autoComplete="off"
              required
              visibilityToggleButtonProps={{ 'aria-label': t('ui.sign_in.show') }}
              error={error ? sayProblem(error).title : undefined}
            />
            <Button type="submit" loading={busy}>
              {t('ui.sign_in.enter')}
            </Button>
          </form>
        )}
        <h2>{t('ui.sign_in.how')}</h2>
        <p>
          <Trans i18nKey="ui.sign_in.how_text" components={{ code: <code className="aw-code" /> }} />
        </p>
      </section>
    </main>
  );
}

function hashed(): string {
  return window.location.hash.slice(1);
}

/** A pasted sign-in link, its secret alone, or an API token. */
function bodyOf(pasted: string): Schemas['SignIn'] {
  if (pasted.startsWith('awase_')) return { token: pasted };
  return { link_secret: pasted.includes('#') ? pasted.slice(pasted.indexOf('#') + 1) : pasted };
}

/** Only places of these pages: a link must not lead elsewhere after signing in. */
function safeNext(next: string | null): string {
  return next && /^\/(?![/\\])/.test(next) ? next : '/';
}
