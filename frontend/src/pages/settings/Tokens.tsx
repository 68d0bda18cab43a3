/* API tokens: made here, shown once, revoked here. */
import { Button } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { http, type Schemas } from '../../api/client';
import { useRefresh } from '../../api/session';
import { useAll } from '../../api/useAll';
import { Answer } from '../../components/Answer';
import { DataTable, type Column } from '../../components/DataTable';
import { Panel } from '../../components/Page';
import { Tag } from '../../components/StateBadge';
import { useConfirm } from '../../components/useConfirm';
import { useFormats } from '../../i18n/useFormats';
import { NameAndRole } from './NameAndRole';
import type { Role } from './RoleSelect';
import { Secret } from './Secret';

type Token = Schemas['Token'];

export function Tokens() {
  const { t } = useTranslation();
  const formats = useFormats();
  const refresh = useRefresh();
  const tokens = useAll('/api/v1/tokens', (query) => http.GET('/api/v1/tokens', { params: { query } }));
  const [made, setMade] = useState<Schemas['TokenCreated'] | null>(null);
  const { ask, dialog } = useConfirm();

  const create = async (body: { name: string; role: Role }) => {
    const { data, error } = await http.POST('/api/v1/tokens', { body });
    if (!data) throw error;
    setMade(data);
    refresh('/api/v1/tokens', '/api/v1/audit');
  };
  const revoke = async (token: Token) => {
    const { error: problem } = await http.DELETE('/api/v1/tokens/{token_id}', {
      params: { path: { token_id: token.id } },
    });
    if (problem) throw problem;
    if (made?.id === token.id) setMade(null);
    refresh('/api/v1/tokens', '/api/v1/audit');
  };
  const columns: Column<Token>[] = [
    { key: 'name', label: t('ui.settings.token_name'), main: true, cell: (token) => token.name },
    { key: 'role', label: t('ui.role.label'), cell: (token) => t(`ui.role.${token.role}`) },
    { key: 'who', label: t('ui.settings.token_of'), cell: (token) => token.user_name },
    { key: 'created', label: t('ui.created'), cell: (token) => formats.moment(token.created_at) },
    {
      key: 'used',
      label: t('ui.settings.last_used'),
      cell: (token) => (token.last_used_at ? formats.moment(token.last_used_at) : t('ui.settings.unused')),
    },
    {
      key: 'act',
      label: t('ui.actions'),
      cell: (token) =>
        token.revoked_at ? (
          <Tag tone="calm" icon="stop">
            {t('ui.settings.revoked')}
          </Tag>
        ) : (
          <Button
            size="xs"
            variant="default"
            aria-label={t('ui.settings.revoke_name', { name: token.name })}
            onClick={() =>
              ask({
                title: t('ui.settings.revoke'),
                body: t('ui.settings.revoke_text', { name: token.name }),
                action: t('ui.settings.revoke'),
                danger: true,
                act: () => revoke(token),
              })
            }
          >
            {t('ui.settings.revoke')}
          </Button>
        ),
    },
  ];
  return (
    <Panel title={t('ui.settings.tokens')}>
      {dialog}
      <p className="aw-soft aw-small">{t('ui.settings.tokens_help')}</p>
      <NameAndRole
        label={t('ui.settings.token_name')}
        help={t('ui.settings.token_name_help')}
        action={t('ui.settings.create_token')}
        act={create}
      />
      {made ? <Secret text={t('ui.settings.secret_once', { name: made.name })} secret={made.secret} /> : null}
      <Answer query={tokens}>
        {(page) =>
          page.items.length === 0 ? (
            <p className="aw-soft">{t('ui.settings.no_tokens')}</p>
          ) : (
            <DataTable
              caption={t('ui.settings.tokens')}
              columns={columns}
              rows={page.items}
              rowKey={(token) => token.id}
            />
          )
        }
      </Answer>
    </Panel>
  );
}
