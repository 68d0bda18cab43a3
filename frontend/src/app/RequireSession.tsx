import type { ReactNode } from 'react';
import { Navigate, useLocation } from 'react-router';
import { useMe } from '../api/session';
import { Loading, ProblemNote } from '../components/Answer';

export function RequireSession({ children }: { children: ReactNode }) {
  const me = useMe();
  const place = useLocation();
  if (me.data) return children;
  if (me.isPending) return <Loading />;
  if (me.data === null) {
    const next = `${place.pathname}${place.search}`;
    return <Navigate to={next === '/' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(next)}`} replace />;
  }
  return (
    <main className="aw-alone">
      <h1>Awase</h1>
      <ProblemNote error={me.error} retry={() => me.refetch()} />
    </main>
  );
}
