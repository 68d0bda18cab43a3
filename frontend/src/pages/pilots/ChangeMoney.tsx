/* New assumptions for a pilot, launched or not: a new version, by which everything measured is valued anew. */
import { Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useState, type FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { http, type Schemas } from '../../api/client';
import { answered } from '../../api/problems';
import { useRefresh } from '../../api/session';
import { ProblemNote } from '../../components/Answer';
import { ProblemList } from '../../components/ProblemList';
import { MoneyFields } from './MoneyFields';
import { assumptionsOf, draftOf, type PilotDraft } from './pilotDraft';
import { useFields } from './useFields';

export function ChangeMoney({ pilot, done }: { pilot: Schemas['Pilot']; done: () => void }) {
  const { t } = useTranslation();
  const refresh = useRefresh();
  // As it was read: a change that somebody else makes meanwhile must not be overwritten unseen.
  const [opened, setOpened] = useState(pilot);
  const [draft, setDraft] = useState<PilotDraft>(() => moneyOf(opened));
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const fields = useFields(error, draft);

  const save = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    const answer = await answered(
      http.PATCH('/api/v1/pilots/{pilot_id}', {
        params: { path: { pilot_id: opened.id }, header: { 'If-Match': `W/"${opened.revision}"` } },
        body: { assumptions: assumptionsOf(draft) },
      }),
    );
    setBusy(false);
    if (!answer.data) {
      setError(answer.error);
      return;
    }
    notifications.show({ message: t('ui.pilot.assumptions_saved') });
    refresh('/api/v1/pilots', '/api/v1/runs');
    done();
  };
  const reopen = async () => {
    const now = await answered(
      http.GET('/api/v1/pilots/{pilot_id}', { params: { path: { pilot_id: opened.id } } }),
    );
    setError(now.error ?? null);
    if (!now.data) return;
    setOpened(now.data);
    setDraft(moneyOf(now.data));
  };
  return (
    <form className="aw-stack" noValidate onSubmit={(event) => void save(event)}>
      {fields.problems.length > 0 ? (
        <ProblemList problems={fields.problems} />
      ) : error ? (
        <ProblemNote error={error} reopen={reopen} />
      ) : null}
      <MoneyFields
        draft={draft}
        change={(part) => setDraft((known) => ({ ...known, ...part }))}
        fields={fields}
        always
      />
      <div className="aw-actions">
        <Button type="submit" loading={busy}>
          {t('ui.save')}
        </Button>
        <Button variant="default" onClick={done}>
          {t('ui.back')}
        </Button>
      </div>
    </form>
  );
}

function moneyOf(pilot: Schemas['Pilot']): PilotDraft {
  return { ...draftOf(pilot), withMoney: true };
}
