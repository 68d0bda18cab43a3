/* A name and a role: all that a new person or token needs. */
import { Button, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { errorAt, fieldErrors } from '../../api/problems';
import { ProblemNote } from '../../components/Answer';
import { useFocusOnError } from '../../components/useFocusOnError';
import { RoleSelect, type Role } from './RoleSelect';

interface Props {
  label: string;
  help: string;
  action: string;
  /** Throws what the server finds wrong; afterwards the name is cleared for the next one. */
  act: (given: { name: string; role: Role }) => Promise<void>;
}

export function NameAndRole({ label, help, action, act }: Props) {
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('viewer');
  const [error, setError] = useState<unknown>(null);
  const errors = fieldErrors(error);
  const form = useFocusOnError(error);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setError(null);
    try {
      await act({ name, role });
      setName('');
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <form ref={form} className="aw-stack" onSubmit={(event) => void submit(event)} noValidate>
      {error && errors.size === 0 ? <ProblemNote error={error} /> : null}
      <div className="aw-fields">
        <TextInput
          label={label}
          description={help}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={errorAt(errors, 'name')}
          required
          autoComplete="off"
        />
        <RoleSelect value={role} onChange={setRole} />
      </div>
      <div>
        <Button type="submit">{action}</Button>
      </div>
    </form>
  );
}
