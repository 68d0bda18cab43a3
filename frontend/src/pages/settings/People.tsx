/* Who may sign in, with which role; a new person gets a link that works once. */
import { Button } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { http, type Schemas } from '../../api/client';
import { answered } from '../../api/problems';
import { useRefresh } from '../../api/session';
import { useAll } from '../../api/useAll';
import { Answer, ProblemNote } from '../../components/Answer';
import { DataTable, type Column } from '../../components/DataTable';
import { Panel } from '../../components/Page';
import { useFormats } from '../../i18n/useFormats';
import { NameAndRole } from './NameAndRole';
import type { Role } from './RoleSelect';
import { Secret } from './Secret';

export function People() {
  const { t } = useTranslation();
  const formats = useFormats();
  const refresh = useRefresh();
  const people = useAll('/api/v1/users', (query) => http.GET('/api/v1/users', { params: { query } }));
  const [link, setLink] = useState<{ name: string; link: string } | null>(null);
  const [error, setError] = useState<unknown>(null);

  const invite = async (body: { name: string; role: Role }) => {
    const { data, error: problem } = await http.POST('/api/v1/users', { body });
    if (!data) throw problem;
    setLink({ name: data.name, link: data.sign_in_link });
    refresh('/api/v1/users', '/api/v1/audit');
  };
  const newLink = async (user: Schemas['User']) => {
    setError(null);
    const { data, error: problem } = await answered(
      http.POST('/api/v1/users/{user_id}/sign-in-link', { params: { path: { user_id: user.id } } }),
    );
    if (!data) {
      setError(problem);
      return;
    }
    setLink({ name: user.name, link: data.sign_in_link });
    refresh('/api/v1/audit');
  };
  const columns: Column<Schemas['User']>[] = [
    { key: 'name', label: t('ui.settings.person'), main: true, cell: (user) => user.name },
    {
      key: 'role',
      label: t('ui.role.label'),
      cell: (user) => user.roles.map((one) => t(`ui.role.${one}`)).join(', ') || '–',
    },
    { key: 'created', label: t('ui.created'), cell: (user) => formats.moment(user.created_at) },
    {
      key: 'act',
      label: t('ui.actions'),
      cell: (user) => (
        <Button
          size="xs"
          variant="default"
          aria-label={t('ui.settings.new_link_for', { name: user.name })}
          onClick={() => void newLink(user)}
        >
          {t('ui.settings.new_link')}
        </Button>
      ),
    },
  ];
  return (
    <Panel title={t('ui.settings.people')}>
      <p className="aw-soft aw-small">{t('ui.settings.people_help')}</p>
      <NameAndRole
        label={t('ui.settings.person')}
        help={t('ui.settings.person_help')}
        action={t('ui.settings.invite')}
        act={invite}
      />
      {error ? <ProblemNote error={error} /> : null}
      {link ? <Secret text={t('ui.settings.link_once', { name: link.name })} secret={link.link} /> : null}
      <Answer query={people}>
        {(page) => (
          <DataTable
            caption={t('ui.settings.people')}
            columns={columns}
            rows={page.items}
            rowKey={(user) => user.id}
          />
        )}
      </Answer>
    </Panel>
  );
}
