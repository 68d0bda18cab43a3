import { Select } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { useMe } from '../../api/session';
import type { Schemas } from '../../api/client';

export type Role = Schemas['UserCreate']['role'];
const ROLES: readonly Role[] = ['viewer', 'manager', 'admin'];

/** Roles up to the highest that the signed-in person has: nobody gives away more. */
export function RoleSelect({ value, onChange }: { value: Role; onChange: (role: Role) => void }) {
  const { t } = useTranslation();
  const { data: me } = useMe();
  const highest = Math.max(0, ...(me?.roles ?? []).map((role) => ROLES.findIndex((known) => known === role)));
  return (
    <Select
      label={t('ui.role.label')}
      description={t(`ui.role.${value}_help`)}
      data={ROLES.slice(0, highest + 1).map((role) => ({ value: role, label: t(`ui.role.${role}`) }))}
      value={value}
      onChange={(role) => role && onChange(role)}
    />
  );
}
